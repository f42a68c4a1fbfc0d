import type { ErrorCode } from '../schemas/errors.ts';
import type { Outcome } from './core.ts';
import type { Presence } from './ephemeral.ts';
import type { Draft, Message } from './state.ts';

/** `failed` comes with the error's code; the others follow each other, and none comes back. */
export type SendState = 'sending' | 'sent' | 'delivered' | 'read' | 'failed';

export type ConnectionStatus =
  /** A socket is being opened, or everything missed is being read. */
  | { readonly status: 'connecting' | 'catching-up' }
  /** Everything is here, and what happens comes as it happens. */
  | { readonly status: 'live' }
  /** The server says that catching up takes longer, or that it cannot read its log now. */
  | { readonly status: 'waiting'; readonly for: 'catch-up' | 'log' }
  | { readonly status: 'offline'; readonly retryAt: number; readonly code: number }
  /** The name of a close code after which coming back does not help; `signed_out`; `other_user`: the storage is of another one. */
  | { readonly status: 'ended'; readonly reason: string };

/** What an application may listen to. Everything told is stored already. */
export interface ClientEvents {
  readonly connection: ConnectionStatus;
  /** Once for every message of a conversation, in the order of its seq; `live`: it happens now. */
  readonly message: { readonly conversationId: string; readonly message: Message; readonly live: boolean };
  /** Messages that were missed and are more than the cache holds: `history` has them. */
  readonly skipped: { readonly conversationId: string; readonly from: number; readonly to: number };
  /** A message says something else now; of one that is not held perhaps again: the highest version counts. */
  readonly changed: { readonly conversationId: string } & Pick<Message, 'seq' | 'version' | 'state' | 'content'>;
  /** A message of ours has come further. `messageId` is what `send` returned. */
  readonly outgoing: {
    readonly conversationId: string;
    readonly messageId: string;
    readonly state: SendState;
    readonly seq: number | null;
    readonly code: ErrorCode | null;
  };
  /** A member has received or read further. */
  readonly receipts: {
    readonly conversationId: string;
    readonly userId: string;
    readonly delivered: number;
    readonly read: number;
    readonly time: number;
  };
  /** Somebody we watch is here, gone, or says something else of itself. */
  readonly presence: Presence;
  /** Somebody began or ended to type; it ends by itself. */
  readonly typing: { readonly conversationId: string; readonly userId: string; readonly typing: boolean };
  /** A conversation is new, or something of it changed: name, members, unread, settings. */
  readonly chat: { readonly conversationId: string };
  /** Somebody in a chat of ours, or we ourselves, shows something else; what an erased one wrote is gone. */
  readonly profile: {
    readonly userId: string;
    readonly displayName: string | null;
    readonly statusText: string | null;
    readonly erased: boolean;
  };
  /** We left it or were removed. */
  readonly 'chat-ended': { readonly conversationId: string };
  /** What was begun under a provisional id has its own now. */
  readonly 'chat-opened': { readonly provisional: string; readonly conversationId: string };
  /** A command has the answer that stands, also one that an earlier process took in. */
  readonly answered: { readonly id: string; readonly command: Draft['type']; readonly outcome: Outcome };
  /** The token was refused: the next one is asked for as ever, but a person may have to sign in. */
  readonly unauthenticated: { readonly message: string };
  /** The server could not go on from where we were: everything but what we have to send was dropped and is read anew. */
  readonly reset: { readonly reason: string };
  /** Nothing can be stored any more; the client has closed itself. */
  readonly 'storage-failed': { readonly error: unknown };
}

export type Emission = {
  readonly [Name in keyof ClientEvents]: {
    readonly type: 'emit';
    readonly name: Name;
    readonly event: ClientEvents[Name];
  };
}[keyof ClientEvents];
