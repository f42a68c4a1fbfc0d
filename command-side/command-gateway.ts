import type { Command } from '../schemas/commands.ts';
import type { Rejection } from '../schemas/errors.ts';
import type { ConversationId, DeviceId, UserId } from '../schemas/ids.ts';

/** Who asks, as the token said. */
export interface Caller {
  readonly userId: UserId;
  readonly deviceId: DeviceId;
  /** The issuer of the token: where names without an issuer belong. */
  readonly issuer: string;
}

/** A command on a conversation. */
export interface Accepted {
  readonly type: 'accepted';
  readonly conversationId: ConversationId;
  /** Of a send. */
  readonly seq: number | undefined;
  /** Server time of the event, in milliseconds. */
  readonly time: number;
  /** The chain's link of the command's (first) event. */
  readonly chain: string;
  /** Names a position at or after the command's events, for `Parley-Read-After`. */
  readonly readAfter: string;
}

/** A command on the caller's own stream. */
export interface Saved {
  readonly type: 'saved';
  readonly time: number;
  readonly chain: string;
  readonly readAfter: string;
}

/** Where the caller's marks in the conversation stand: at what was asked, or further. */
export interface Marked {
  readonly type: 'marked';
  readonly conversationId: ConversationId;
  readonly delivered: number;
  readonly read: number;
  /** Of the newest marks of the conversation. */
  readonly time: number;
  readonly readAfter: string;
}

/** The caller's status, as others see it now. */
export interface Announced {
  readonly type: 'announced';
  readonly time: number;
  readonly readAfter: string;
}

export type Done = Accepted | Saved | Marked | Announced;

export type CommandAnswer =
  | {
      readonly ok: true;
      readonly done: Done;
      /** Its id had been answered before; nothing was written now. */
      readonly repeated?: true;
    }
  | { readonly ok: false; readonly rejection: Rejection };

/**
 * The way to the command side: a function call, or one HTTP call to another process.
 *
 * Done means: in the log, durable, exactly once. A `rejection` with retry `never` means: not written, and the
 * same request will be refused again. Any other rejection may be sent again with the same id, by any route.
 * Commands of one caller on one conversation that are handed over in an order are decided in that order.
 * Never throws; a fault of the server is the rejection `internal` or `unavailable`.
 */
export interface CommandGateway {
  submit(caller: Caller, command: Command): Promise<CommandAnswer>;
}
