import type { ErrorCode, Retry } from '../schemas/errors.ts';
import type { ClientFrameInput } from '../schemas/frames.ts';
import type { ChatView, MessageView, ProfileView } from '../schemas/views.ts';
import type { ClientEvents, Emission } from './events.ts';
import type { Chat, Item, State } from './state.ts';
import type { Json } from './storage.ts';

/** What an answer to a command says. */
export interface Answer {
  readonly conversationId: string | null;
  /** Of a send. */
  readonly seq: number | null;
  readonly time: number;
  /** The hash chain's link; null where the message itself came before its answer. */
  readonly chain: string | null;
  readonly readAfter: string | null;
}

export const answerOf = (frame: Partial<Answer> & Pick<Answer, 'time'>): Answer => ({
  conversationId: null,
  seq: null,
  chain: null,
  readAfter: null,
  ...frame,
});

export type Outcome =
  | { readonly ok: true; readonly answer: Answer }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string }
  /** The client was closed first. The command stays in the storage and goes out when that is opened again. */
  | { readonly ok: false; readonly code: 'closed'; readonly message: string };

/** What the client asks of its own accord. */
export type Read =
  /** All chats that changed after a cursor, null: all there are; asked when our cursor was `asOf`. */
  | { readonly name: 'chats'; readonly after: string | null; readonly asOf: string | null }
  | { readonly name: 'chat'; readonly conversationId: string; readonly readAfter: string | null }
  /** The messages after a seq; null: the newest. */
  | { readonly name: 'messages'; readonly conversationId: string; readonly after: number | null }
  /** Why did the server not let us in? A WebSocket does not say. */
  | { readonly name: 'probe' };

export type ReadResult =
  | { readonly ok: true; readonly name: 'probe' }
  | {
      readonly ok: true;
      readonly name: 'chats';
      readonly chats: readonly ChatView[];
      /** People in chats of ours who show something else now. */
      readonly profiles: readonly ProfileView[];
    }
  | { readonly ok: true; readonly name: 'messages'; readonly messages: readonly MessageView[] }
  | {
      readonly ok: false;
      readonly code: ErrorCode | 'unreachable';
      readonly retry: Retry;
      readonly retryAfterMs: number;
    };

export type Effect =
  | { readonly type: 'connect'; readonly number: number }
  | { readonly type: 'disconnect' }
  | { readonly type: 'transmit'; readonly number: number; readonly frame: ClientFrameInput }
  | { readonly type: 'read'; readonly read: Read }
  | Emission;

/** When something happens, and the chance it happens with. */
export interface Moment {
  readonly now: number;
  readonly randomBytes: (count: number) => Uint8Array;
}

/**
 * The state, and what is to be done since it was last looked at: first the changes are stored, then the effects happen in
 * their order. So nothing is sent or told that a crash could take back.
 */
export interface Core {
  readonly state: State;
  changes: Map<string, Json>;
  effects: Effect[];
  /** Conversations that are to be told of as changed, once however much changed. */
  touched: Set<string>;
}

export const emit = <Name extends keyof ClientEvents>(core: Core, name: Name, event: ClientEvents[Name]): void => {
  const emission: { type: 'emit'; name: Name; event: ClientEvents[Name] } = { type: 'emit', name, event };
  core.effects.push(emission as Emission);
};

export const keys = {
  account: 'account',
  chat: (id: string): string => `chat/${id}`,
  message: (id: string, seq: number): string => `message/${id}/${seq}`,
  item: (order: number): string => `outbox/${order}`,
};

export const storeAccount = (core: Core, account: State['account']): void => {
  core.state.account = account;
  core.changes.set(keys.account, { ...account });
};

/** Replaces what is known of a conversation. */
export const storeChat = (core: Core, chat: Chat, changed: Partial<Chat['record']>): void => {
  chat.record = { ...chat.record, ...changed };
  core.changes.set(keys.chat(chat.record.conversationId), asJson(chat.record));
};

export const storeItem = (core: Core, item: Item): void => {
  core.changes.set(keys.item(item.order), asJson(item));
};

/** Records are plain data of JSON's own types; an interface alone does not say so to the compiler. */
const asJson = (record: object): Json => record as { readonly [name: string]: Json };

export const storeMessage = (core: Core, id: string, message: Chat['held'][number]): void => {
  core.changes.set(keys.message(id, message.seq), asJson(message));
};
