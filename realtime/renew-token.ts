import type { Caller } from '../command-side/command-gateway.ts';
import { reject, type Rejection } from '../schemas/errors.ts';
import type { SignIn } from './sign-in.ts';

export interface RenewTokenDeps {
  readonly signIn: SignIn;
  readonly warn: (details: Readonly<Record<string, unknown>>, message: string) => void;
}

/** When a connection of the caller ends with a new token, or why the token will not do. Never rejects. */
export const renewToken = async (
  token: string,
  { userId, deviceId }: Caller,
  { signIn, warn }: RenewTokenDeps,
): Promise<number | Rejection> => {
  try {
    const signedIn = await signIn(token);
    if (!signedIn.ok) return signedIn.rejection;
    if (signedIn.caller.userId === userId && signedIn.caller.deviceId === deviceId) return signedIn.expiresAt;
    return reject('unauthenticated', 'token: is of another user or device');
  } catch (error) {
    warn({ err: error, userId }, 'a token could not be renewed');
    return reject('internal', 'the token could not be checked');
  }
};
