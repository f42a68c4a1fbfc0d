import type { ConversationEvent, ConversationKind, Role } from '../schemas/conversation-events.ts';
import type { MessageContent } from '../schemas/content.ts';
import type { CommandId, ConversationId, Seq, UserId } from '../schemas/ids.ts';
import type { Availability } from '../schemas/presence-events.ts';
import type { StreamKind } from '../schemas/streams.ts';
import { subjectOf } from '../schemas/streams.ts';
import type { UserEvent } from '../schemas/user-events.ts';
import type { ProjectedEvent } from './read-model.ts';

export const inboxKinds: readonly StreamKind[] = ['conversation', 'receipts', 'user', 'presence'];

/** One fact of the inbox. A store expands it as it likes: to a row, or to one for each member. */
export type InboxChange =
  /** Of every event of a conversation's stream, before what else it changes. */
  | {
      readonly type: 'conversation-advanced';
      readonly conversation: ConversationId;
      readonly seq: Seq;
      readonly revision: number;
    }
  /** Of a command that sends nothing; the id of a send lies with its message. */
  | {
      readonly type: 'command-stored';
      readonly conversation: ConversationId;
      readonly id: CommandId;
      readonly revision: number;
    }
  | {
      readonly type: 'conversation-started';
      readonly conversation: ConversationId;
      readonly kind: ConversationKind;
      readonly time: number;
    }
  | { readonly type: 'conversation-named'; readonly conversation: ConversationId; readonly name: string | null }
  | ({ readonly type: 'member-joined'; readonly conversation: ConversationId } & JoinedMember & Begun)
  | ({ readonly type: 'member-ended'; readonly conversation: ConversationId; readonly user: UserId } & Begun)
  | {
      readonly type: 'role-changed';
      readonly conversation: ConversationId;
      readonly user: UserId;
      readonly role: Role;
    }
  | ({ readonly type: 'message-sent'; readonly conversation: ConversationId } & SentMessage)
  | {
      readonly type: 'message-edited';
      readonly conversation: ConversationId;
      readonly seq: Seq;
      readonly content: MessageContent | null;
      readonly version: number;
      readonly time: number;
    }
  | {
      readonly type: 'message-deleted';
      readonly conversation: ConversationId;
      readonly seq: Seq;
      readonly version: number;
      readonly time: number;
    }
  | ({ readonly type: 'marks-advanced'; readonly conversation: ConversationId; readonly time: number } & Marks)
  | {
      readonly type: 'profile-changed';
      readonly user: UserId;
      readonly displayName: string | null;
      readonly statusText: string | null;
    }
  | { readonly type: 'user-registered' | 'user-erased'; readonly user: UserId }
  | { readonly type: 'user-blocked' | 'user-unblocked'; readonly user: UserId; readonly blocked: UserId }
  | ({ readonly type: 'chat-settings-changed'; readonly user: UserId } & ChatSettings)
  | ({ readonly user: UserId; readonly version: number } & PresenceChange);

type PresenceChange =
  | { readonly type: 'came-online' }
  | { readonly type: 'went-offline'; readonly lastSeen: number }
  | { readonly type: 'status-announced'; readonly availability: Availability; readonly text: string | null };

/** Who began or ended a membership, when, and the `version` of the frame that said so. */
interface Begun {
  readonly by: UserId;
  readonly time: number;
  readonly version: number;
}

interface JoinedMember {
  readonly user: UserId;
  readonly role: Role;
  readonly since: number;
  /** Orders those who joined with one event. */
  readonly rank: number;
  readonly visibleFrom: Seq;
}

interface SentMessage {
  readonly seq: Seq;
  readonly revision: number;
  readonly messageId: CommandId;
  readonly by: UserId;
  readonly time: number;
  readonly content: MessageContent | null;
  readonly replyTo: Seq | null;
}

interface Marks {
  readonly user: UserId;
  readonly delivered: Seq;
  readonly read: Seq;
}

interface ChatSettings {
  readonly conversation: ConversationId;
  readonly mutedUntil: number;
  readonly pinned: boolean;
  readonly archivedAt: Seq | null;
}

/** An event that must not be passed over and cannot be projected: its stream parks. */
export class Unprojectable extends Error {
  override readonly name = 'Unprojectable';
}

/** What an event means to the inbox. Throws `Unprojectable` for a critical event unknown here. */
export const projectInbox = (recorded: ProjectedEvent): readonly InboxChange[] => {
  const { event, stream, time, type, schemaVersion } = recorded;
  if (event === undefined) {
    if (recorded.critical) throw new Unprojectable(`${type} ${schemaVersion} is unknown to this version of Parley`);
    return [];
  }
  switch (event.type) {
    case 'conversation-started':
    case 'conversation-renamed':
    case 'member-added':
    case 'member-removed':
    case 'member-left':
    case 'role-changed':
    case 'message-sent':
    case 'message-edited':
    case 'message-deleted':
      return conversationChanges(subjectOf(stream) as ConversationId, event, recorded);
    case 'receipts-advanced': {
      const conversation = subjectOf(stream) as ConversationId;
      return event.marks.map(({ userId: user, delivered, read }) => ({
        type: 'marks-advanced',
        conversation,
        time,
        user,
        delivered,
        read,
      }));
    }
    case 'user-registered':
    case 'profile-changed':
    case 'user-blocked':
    case 'user-unblocked':
    case 'chat-settings-changed':
    case 'user-erased':
    case 'contact-saved':
    case 'contact-removed':
    case 'sessions-ended':
    case 'user-disabled':
      return userChanges(subjectOf(stream) as UserId, event);
    case 'came-online':
    case 'went-offline':
    case 'status-announced':
      return [{ user: subjectOf(stream) as UserId, version: recorded.revision + 1, ...event }];
    case 'epoch-started':
      return [];
    default:
      return event satisfies never;
  }
};

const conversationChanges = (
  conversation: ConversationId,
  event: ConversationEvent,
  { revision, time }: ProjectedEvent,
): readonly InboxChange[] => [
  { type: 'conversation-advanced', conversation, seq: event.seq, revision },
  ...(event.type === 'message-sent'
    ? []
    : [{ type: 'command-stored' as const, conversation, id: event.commandId, revision }]),
  ...ownChanges(conversation, event, revision, time),
];

const ownChanges = (
  conversation: ConversationId,
  event: ConversationEvent,
  revision: number,
  time: number,
): readonly InboxChange[] => {
  const version = revision + 1 - event.seq;
  const begun: Begun = { by: event.by, time, version };
  switch (event.type) {
    case 'conversation-started':
      return [
        { type: 'conversation-started', conversation, kind: event.kind, time },
        ...event.members.map(({ userId: user, role }, rank): InboxChange => {
          const member: JoinedMember = { user, role, since: revision, rank, visibleFrom: event.seq };
          return { type: 'member-joined', conversation, ...member, ...begun };
        }),
      ];
    case 'conversation-renamed':
      return [{ type: 'conversation-named', conversation, name: event.name }];
    case 'member-added': {
      const { userId: user, role, visibleFrom } = event;
      const member: JoinedMember = { user, role, since: revision, rank: 0, visibleFrom };
      return [{ type: 'member-joined', conversation, ...member, ...begun }];
    }
    case 'member-removed':
      return [{ type: 'member-ended', conversation, user: event.userId, ...begun }];
    case 'member-left':
      return [{ type: 'member-ended', conversation, user: event.by, ...begun }];
    case 'role-changed':
      return [{ type: 'role-changed', conversation, user: event.userId, role: event.role }];
    case 'message-sent': {
      const { seq, commandId: messageId, by, content, replyTo } = event;
      return [{ type: 'message-sent', conversation, seq, revision, messageId, by, time, content, replyTo }];
    }
    case 'message-edited':
      return [{ type: 'message-edited', conversation, seq: event.target, content: event.content, version, time }];
    case 'message-deleted':
      return [{ type: 'message-deleted', conversation, seq: event.target, version, time }];
    default:
      return event satisfies never;
  }
};

const userChanges = (user: UserId, event: UserEvent): readonly InboxChange[] => {
  switch (event.type) {
    case 'user-registered':
    case 'user-erased':
      return [{ type: event.type, user }];
    case 'profile-changed': {
      const { displayName = null, statusText = null } = event.profile ?? {};
      return [{ type: 'profile-changed', user, displayName, statusText }];
    }
    case 'user-blocked':
    case 'user-unblocked':
      return [{ type: event.type, user, blocked: event.blocked }];
    case 'chat-settings-changed': {
      const { conversationId: conversation, mutedUntil, pinned, archivedAt } = event;
      return [{ type: 'chat-settings-changed', user, conversation, mutedUntil, pinned, archivedAt }];
    }
    case 'contact-saved':
    case 'contact-removed':
    case 'sessions-ended':
    case 'user-disabled':
      return [];
    default:
      return event satisfies never;
  }
};
