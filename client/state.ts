import type { CommandInput } from '../schemas/commands.ts';
import type { MessageContent } from '../schemas/content.ts';
import type { ConversationKind, Role } from '../schemas/conversation-events.ts';
import type { ErrorCode } from '../schemas/errors.ts';
import type { Connection } from './connection.ts';
import type { Read } from './core.ts';
import type { Ephemeral } from './ephemeral.ts';

/** A message of a conversation, at its place for ever. */
export interface Message {
  readonly seq: number;
  readonly messageId: string;
  readonly by: string;
  readonly time: number;
  /** Rises with every change of the message. */
  readonly version: number;
  readonly state: 'shown' | 'deleted' | 'hidden';
  /** Null where nothing is shown: deleted, hidden by a block, its author erased. */
  readonly content: MessageContent | null;
  readonly replyTo: number | null;
}

export interface Member {
  readonly userId: string;
  readonly role: Role;
  readonly visibleFrom: number;
  readonly delivered: number;
  readonly read: number;
  readonly deliveredAt: number | null;
  readonly readAt: number | null;
}

/** What is stored of a conversation beside its messages. */
export interface ChatRecord {
  readonly conversationId: string;
  readonly kind: ConversationKind;
  readonly name: string | null;
  /** Of members, roles and name; -1: the conversation was not heard of yet. */
  readonly version: number;
  readonly members: readonly Member[];
  /** Else the members of a group, and how far anybody has come, are to be asked for. */
  readonly membersKnown: boolean;
  /** Of the newest message. */
  readonly seq: number;
  readonly visibleFrom: number;
  /**
   * Every message after `visibleFrom` and up to here was taken in, in order, or is history; -1: a first sync has yet to say
   * where the conversation begins for us.
   */
  readonly through: number;
  readonly activeAt: number;
  /** The newest message as the server showed it, perhaps only its beginning: for when none is held. */
  readonly preview: Message | null;
  /** Of our own newest message: who writes has read. */
  readonly ownSeq: number;
  /** Our own marks as the log has them, and how far they shall go. */
  readonly delivered: number;
  readonly read: number;
  readonly wantedDelivered: number;
  readonly wantedRead: number;
  readonly counted: Counted;
  readonly mutedUntil: number;
  readonly pinned: boolean;
  /** Archived as long as no message comes after it. */
  readonly archivedAt: number | null;
  /** The server could not take in an event of it yet. */
  readonly incomplete: boolean;
}

/** How many messages were not read, as the server counted them. */
export interface Counted {
  readonly unread: number;
  /** The newest message then. */
  readonly to: number;
}

export interface Chat {
  record: ChatRecord;
  /** The newest messages by rising seq; those up to `through` have no hole among them. */
  readonly held: Message[];
  /** Changes of messages that are not here yet: an answer may be overtaken by what follows from it. */
  readonly early: Map<number, Pick<Message, 'version' | 'state' | 'content'>>;
  /** The number of the connection over which a mark was sent that has no answer yet; 0: none. */
  markSentOn: number;
  /** What was asked for and answered, though the marks may stand still: in a chat with somebody we block. */
  marksAnswered: Marks;
  /** What was asked for last. */
  marksAsked: Marks;
  /** No mark is sent before; none that only says delivered. */
  markNotBefore: number;
  deliveredNotBefore: number;
}

export interface Marks {
  readonly delivered: number;
  readonly read: number;
}

type WithoutId<C> = C extends unknown ? Omit<C, 'messageId' | 'commandId'> : never;
/** A command before it has an id. A mark has none. */
export type Draft = WithoutId<Exclude<CommandInput, { type: 'mark' }>>;

/** A command without an answer that stands. */
export interface Item {
  /** The id it had first: what the application knows it by. */
  readonly key: string;
  /** The id it is sent with. */
  readonly id: string;
  /** Rises with every command; within a lane the lower one goes first. */
  readonly order: number;
  readonly draft: Draft;
  /** Refused for good. A send stays until the application discards it. */
  readonly failed: { readonly code: ErrorCode; readonly message: string } | null;
}

export interface Waiting {
  item: Item;
  readonly lane: string;
  /** The number of the connection over which it was sent; while that is open, its answer is to come. */
  sentOn: number;
  notBefore: number;
  attempts: number;
  /** It was sent before, perhaps by an earlier process: it may be stored, and its message changed since. */
  mayBeStored: boolean;
}

export interface Account {
  readonly userId: string | null;
  readonly cursor: string | null;
  /** The cursor up to which the read models were asked what they have of our chats. */
  readonly chatsAsOf: string | null;
  /** Of our own settings, blocks and profile. */
  readonly version: number;
  /** How far the server's clock is ahead of ours, in milliseconds. */
  readonly ahead: number;
}

export interface DueRead {
  readonly read: Read;
  /** Infinity: it is under way. */
  readonly at: number;
  readonly attempts: number;
}

export interface CacheSize {
  /** Messages held of one conversation. */
  readonly messages: number;
  /** Conversations of which messages are held. */
  readonly chats: number;
}

/** All a client knows: a fold over what it was told. Nothing here knows of sockets, clocks or storage. */
export interface State {
  readonly cache: CacheSize;
  account: Account;
  connection: Connection;
  /** Connections in a row that came to nothing. */
  failures: number;
  readonly chats: Map<string, Chat>;
  /** Commands by the lane in which they go one after the other. */
  readonly lanes: Map<string, Waiting[]>;
  readonly byId: Map<string, Waiting>;
  /** What became of provisional ids, for as long as this process may still use them. */
  readonly opened: Map<string, string>;
  readonly failed: Map<string, Item>;
  nextOrder: number;
  nextConnection: number;
  /** Conversations of which messages are held, the longest unused first. */
  readonly holding: Set<string>;
  /** Conversations of which we lack messages: behind a hole, or the newest. */
  readonly ahead: Set<string>;
  /** Conversations with a mark to be sent. */
  readonly marksDue: Set<string>;
  /** Whom we do not block any more; the read models may not know yet. */
  readonly unblocked: Set<string>;
  readonly ephemeral: Ephemeral;
  /** Reads that are under way, or failed and are to be done again. */
  readonly readsDue: Map<string, DueRead>;
}
