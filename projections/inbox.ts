import type { MessageContent } from '../schemas/content.ts';
import type { ConversationKind, Role } from '../schemas/conversation-events.ts';
import type { CommandId, ConversationId, Seq, UserId } from '../schemas/ids.ts';
import type { ReceiptsEvent } from '../schemas/receipts-events.ts';
import type { Availability } from '../schemas/presence-events.ts';
import type { ChangeView, ChatView } from '../schemas/views.ts';

/**
 * What people read: their chats, the messages in them, who has them and who has read them. A read model, equal to a fold
 * of the log up to its position; `Progress` waits for a position.
 *
 * Access is decided inside each query, by the asking user's membership in the same state of the store that answers: a
 * member sees the messages after `visibleFrom`, whoever is none sees nothing. A conversation that is not there, one that
 * the user never was in and one that the user left give the same answer, `undefined`.
 *
 * A message of somebody whom the asking user blocks now is `hidden` in every answer: it keeps its seq and says nothing.
 * Unblocking shows it again. So is a deleted one, for good.
 *
 * A `place` is the integer that rises along the line of logs (`EventLog.locate`). One event has one place, so no two
 * conversations share the place of their last change.
 *
 * Every query rejects when the store cannot be reached, and answers from one state of it where the store has such a thing.
 * Where it has none, parts of a batch that is being written may show already; what is said to lie up to a place is whole up
 * to there, and of a chat no seq shows before its message. Limits are clamped, not refused (`clampLimit`). `incomplete` says that a stream of the answer is parked: it waits for an event that could not
 * be projected, so the answer is older than the position says.
 */
export interface Inbox {
  /** The user's chats, the newest activity first. Rejects with `BadCursor` for a cursor this port did not give out. */
  chats(user: UserId, options: ChatsOptions): Promise<ChatPage>;

  chat(user: UserId, conversation: ConversationId): Promise<Chat | undefined>;

  /** Over all chats that are not archived, muted ones included. */
  totalUnread(user: UserId): Promise<TotalUnread>;

  /** A page of history. Placeholders stand where messages were deleted or are hidden, so seqs have no hole. */
  messages(user: UserId, conversation: ConversationId, from: PageFrom, limit: number): Promise<MessagePage | undefined>;

  /** One message; undefined also for one that the user may not see. */
  message(user: UserId, conversation: ConversationId, which: MessageKey): Promise<Message | undefined>;

  /** The present members in the order in which they joined, with how far each has come. */
  members(user: UserId, conversation: ConversationId): Promise<MemberList | undefined>;

  /**
   * What a device that was up to date at `place` should look at again, in the order of the last change: the chats in which
   * anything happened, those that ended for the user, people of the user's chats who show something else of themselves, and
   * whether the user blocks others now. After a place of 0 come chats alone. The next page begins after `through`; what
   * changes meanwhile comes again, none is missed.
   */
  changesAfter(user: UserId, place: number, limit: number): Promise<Changes>;

  /** The same without the people: for a device that holds nothing they have changed, however long ago `place` is. */
  chatsAfter(user: UserId, place: number, limit: number): Promise<Changes>;

  /**
   * The messages of a chat that were sent, edited or deleted after `place`, as they are now, in the order of their last
   * change: state, not events. The next page begins after the place of the last one.
   */
  changesOf(
    user: UserId,
    conversation: ConversationId,
    place: number,
    limit: number,
  ): Promise<ChangedMessages | undefined>;

  /**
   * What a device lacks that has everything up to `place`: state, not events, in the order of the log, each item where its
   * last event stands. A message comes where it was sent, as it is now, and once more where it was changed last; so of one
   * conversation they come by rising seq and without a hole. A page holds about `limit` items. Undefined while the stream
   * of any conversation is parked: then only the log can say it.
   *
   * What blocks hide is left to who asks, whose list is newer than this store.
   */
  missedAfter(user: UserId, place: number, limit: number): Promise<Missed | undefined>;

  /** Of people anybody who is signed in may see; users never seen are left out. At most 200. */
  profiles(users: readonly UserId[]): Promise<readonly Profile[]>;

  /** Whom the user blocks, in the order of the ids. */
  blocks(user: UserId): Promise<readonly UserId[]>;

  /**
   * Who of these is there, an answer for each: `none` of it for those with whom the user shares no conversation and where
   * one blocks the other, which all look alike. At most 200.
   */
  presence(user: UserId, of: readonly UserId[], mostMembers: number): Promise<readonly Presence[]>;

  /** For the sweep of presence alone: who is online as the log says, in an order of the store's own, after one. A page. */
  onlineAfter(user: UserId | null, limit: number): Promise<readonly UserId[]>;

  /**
   * For the command side alone: where a client's command stands in its conversation, of all commands ever. It asks for
   * nobody, so it says a revision and nothing of what stands there. `undefined` is final for every event up to the safe
   * place, and says nothing of later ones.
   */
  findCommand(conversation: ConversationId, id: CommandId): Promise<FoundCommand>;

  close(): Promise<void>;
}

export interface ChatsOptions {
  /** `next` of the page before; null: from the newest. */
  readonly cursor: string | null;
  readonly limit: number;
  /** Only those; undefined: all. */
  readonly archived?: boolean | undefined;
  readonly pinned?: boolean | undefined;
}

export interface ChatPage {
  readonly chats: readonly Chat[];
  /** Null: the end. A chat with new activity moves to the front, so it may have been missed or come twice by then. */
  readonly next: string | null;
  /** The user's own stream is parked: settings and blocks may be older than the rest. */
  readonly incomplete: boolean;
}

/** A conversation as one of its members has it. */
export interface Chat {
  readonly conversationId: ConversationId;
  readonly kind: ConversationKind;
  /** Null: it has none, as one-to-one chats, or its key is gone. */
  readonly name: string | null;
  /** The other one of a one-to-one chat. */
  readonly peer: UserId | null;
  readonly role: Role;
  /** How many members it has now. */
  readonly memberCount: number;
  /** The seq of the last message, whoever sees it. */
  readonly seq: Seq;
  /** The user sees the messages after this seq. */
  readonly visibleFrom: Seq;
  /** Rises with every change that is not a message; the same number as in frames. */
  readonly version: number;
  /** The newest message the user may see, a long text cut. */
  readonly lastMessage: Message | null;
  /** When the last message came or, if that is later, the user did. */
  readonly activeAt: number;
  /** The user's own, and never lower than the user's own last message. */
  readonly delivered: Seq;
  readonly read: Seq;
  /** Messages after `read`: of others, not deleted, not hidden, that the user may see. Exact. */
  readonly unread: number;
  /** Milliseconds; 0: not muted. */
  readonly mutedUntil: number;
  readonly pinned: boolean;
  /** A message after the archiving brings a chat back. */
  readonly archived: boolean;
  /** Of its last change, whatever it was: a message, a member, a mark, a setting of the user's. */
  readonly place: number;
  /** Its stream is parked: it is older than the position says. */
  readonly incomplete: boolean;
}

export interface Message {
  readonly seq: Seq;
  readonly messageId: CommandId;
  readonly by: UserId;
  readonly time: number;
  /** 0 until it is edited or deleted, then the `version` of the frame that said so: a lower one is older. */
  readonly version: number;
  readonly state: 'shown' | 'deleted' | 'hidden';
  /** Null when it is not shown, and when its author was erased. */
  readonly content: MessageContent | null;
  readonly replyTo: Seq | null;
  /** Null: never edited. */
  readonly editedAt: number | null;
  /** Whether `content` is only the beginning: of a preview. */
  readonly cut: boolean;
}

export type PageFrom =
  | { readonly from: 'newest' }
  /** The messages right before or right after a seq. */
  | { readonly from: 'before' | 'after'; readonly seq: Seq }
  /** The message in the middle, as far as there are others on both sides. */
  | { readonly from: 'around'; readonly seq: Seq };

export interface MessagePage {
  /** By ascending seq. */
  readonly messages: readonly Message[];
  /** Whether the user may see none before the first of these; none after the last. */
  readonly isFirst: boolean;
  readonly isLast: boolean;
  readonly incomplete: boolean;
}

export type MessageKey = { readonly seq: Seq } | { readonly messageId: CommandId };

export interface MemberList {
  readonly members: readonly MemberView[];
  readonly incomplete: boolean;
}

/** "Delivered to 3, read by 2" of a message: those with `visibleFrom` below its seq and the mark not below it. */
export interface MemberView {
  readonly userId: UserId;
  readonly role: Role;
  readonly visibleFrom: Seq;
  /** Never lower than `read`, and that never lower than the member's own last message. */
  readonly delivered: Seq;
  readonly read: Seq;
  /** When the mark came to where it is; null: it is 0. */
  readonly deliveredAt: number | null;
  readonly readAt: number | null;
}

export interface TotalUnread {
  readonly unread: number;
  /** How many chats have any. */
  readonly chats: number;
  readonly incomplete: boolean;
}

export interface Changes {
  readonly changes: readonly ChangeAt[];
  /** Everything up to here is in this page or in those before it. */
  readonly through: number;
  /** Nothing lies behind it. */
  readonly isLast: boolean;
}

/** `place` is that of the last change, and of no other item. */
export type ChangeAt = { readonly place: number } & (
  | { readonly type: 'chat'; readonly chat: Chat }
  /** The user left or was removed, there. */
  | { readonly type: 'ended'; readonly conversationId: ConversationId }
  /** If `erased`, nothing that this person wrote is shown any more, in whatever chat. */
  | { readonly type: 'profile'; readonly profile: Profile }
  | { readonly type: 'blocks' }
);

export interface ChangedMessages {
  readonly messages: readonly { readonly place: number; readonly message: Message }[];
  readonly isLast: boolean;
  readonly incomplete: boolean;
}

export interface Missed {
  readonly items: readonly MissedItem[];
  /** With them the device has everything up to here; never before the place asked for. */
  readonly through: number;
  /** This store holds nothing behind it. */
  readonly isLast: boolean;
}

interface MissedOf {
  readonly conversationId: ConversationId;
  /** Of its last event: with this item the device has everything up to here. */
  readonly place: number;
}

export type MissedItem = MissedOf &
  (
    | ({ readonly type: 'conversation' } & ConversationNow)
    /** The user left (`by` is the user) or was removed. */
    | { readonly type: 'ended'; readonly by: UserId; readonly time: number; readonly version: number }
    | ({ readonly type: 'sent' | 'changed' } & MissedMessage)
    /** Where all members stand who have moved; `time` is that of the last move. */
    | {
        readonly type: 'marks';
        readonly marks: ReceiptsEvent['marks'];
        readonly visibleFrom: Seq;
        readonly memberCount: number;
        readonly time: number;
      }
  );

/** The whole of a conversation for a member of it; `by` and `time` are of the event that began the membership. */
interface ConversationNow {
  readonly kind: ConversationKind;
  readonly name: string | null;
  readonly members: readonly { readonly userId: UserId; readonly role: Role }[];
  readonly seq: Seq;
  readonly visibleFrom: Seq;
  readonly by: UserId;
  readonly time: number;
  readonly version: number;
}

interface MissedMessage {
  readonly seq: Seq;
  readonly messageId: CommandId;
  readonly by: UserId;
  /** When it was sent. */
  readonly time: number;
  /** Null also when it is deleted. */
  readonly content: MessageContent | null;
  readonly replyTo: Seq | null;
  readonly deleted: boolean;
  /** Of its last change, if it has any. */
  readonly version: number;
  readonly changedAt: number | null;
}

export interface Profile {
  readonly userId: UserId;
  /** Null: none was given, or the user was erased. */
  readonly displayName: string | null;
  readonly statusText: string | null;
  readonly erased: boolean;
}

export interface Presence {
  readonly userId: UserId;
  /** `asked`: only in conversations of more than `mostMembers`, where nobody is told of changes without asking. */
  readonly shown: 'live' | 'asked' | 'none';
  readonly online: boolean;
  /** Null: online now, or never yet. */
  readonly lastSeen: number | null;
  readonly availability: Availability;
  readonly statusText: string | null;
  /** Rises with every change of it; 0: there was none. */
  readonly version: number;
}

/** Of somebody whose presence is not shown, or of whom there is none. */
export const nothingShown: Omit<Presence, 'userId'> = {
  shown: 'none',
  online: false,
  lastSeen: null,
  availability: 'available',
  statusText: null,
  version: 0,
};

export interface FoundCommand {
  /** Of the command's first event, whose links and times are its answer. */
  readonly revision: number | undefined;
  /** Up to where the answer is certain. */
  readonly safe: number;
}

/** As it crosses the border: places stay inside. */
export const chatShown = ({ place, ...chat }: Chat): ChatView => chat;

export const changeShown = ({ place, ...change }: ChangeAt): ChangeView =>
  change.type === 'chat' ? { type: 'chat', chat: chatShown(change.chat) } : change;

export class BadCursor extends Error {
  override readonly name = 'BadCursor';
}

const mostOnPage = 200;

/** Between 1 and 200; what is no number counts as 1. */
export const clampLimit = (limit: number): number => Math.max(1, Math.min(mostOnPage, Math.trunc(limit) || 1));
