import type { Caller } from '../command-side/command-gateway.ts';
import type { Rejection } from '../schemas/errors.ts';

export type SignedIn =
  | {
      readonly ok: true;
      readonly caller: Caller;
      /** When the token ends, in milliseconds. */
      readonly expiresAt: number;
    }
  | { readonly ok: false; readonly rejection: Rejection };

/** Checks a token and registers its user, if it is new, before answering. Never throws for what a token holds. */
export type SignIn = (token: string) => Promise<SignedIn>;
