import type { Done } from '../command-side/command-gateway.ts';
import type { Presence } from '../projections/inbox.ts';
import type { Command } from '../schemas/commands.ts';
import type { ConversationEvent } from '../schemas/conversation-events.ts';
import { errors, type ErrorCode, type Rejection } from '../schemas/errors.ts';
import type { RecordedEvent } from '../schemas/events.ts';
import type { FrameRefused, ServerFrame } from '../schemas/frames.ts';
import type { CommandId, ConversationId, UserId } from '../schemas/ids.ts';
import type { ReceiptsEvent } from '../schemas/receipts-events.ts';
import type { UserEvent } from '../schemas/user-events.ts';
import type { KnownMembership } from './memberships.ts';
import { textFrame } from './text-frame.ts';

export const encodeFrame = (frame: ServerFrame): Buffer => textFrame(JSON.stringify(frame));

/** What a command's answer repeats: its id under the name it came with; a mark has none. */
export type AnsweredId =
  { readonly messageId: CommandId } | { readonly commandId: CommandId } | { readonly conversationId: ConversationId };

export const answeredIdOf = (command: Command): AnsweredId => {
  if (command.type === 'send') return { messageId: command.messageId };
  if (command.type === 'mark') return { conversationId: command.conversationId };
  return { commandId: command.commandId };
};

/** JSON leaves out the `seq` of what is no send. */
export const doneFrame = (id: AnsweredId, done: Done): Buffer => textFrame(JSON.stringify({ ...done, ...id }));

export const rejectedFrame = (id: AnsweredId, rejection: Rejection): Buffer =>
  encodeFrame({ type: 'rejected', ...id, retry: errors[rejection.code].retry, ...rejection });

/** For a frame that was not understood: named by whatever id it carried, else an `error`. */
export const refusedFrame = ({ messageId, commandId }: FrameRefused, code: ErrorCode, message: string): Buffer => {
  const { retry } = errors[code];
  if (messageId !== undefined) return encodeFrame({ type: 'rejected', messageId, code, message, retry });
  if (commandId !== undefined) return encodeFrame({ type: 'rejected', commandId, code, message, retry });
  return encodeFrame({ type: 'error', code, message });
};

/** Whether the event begins the membership of `user`, who then gets the whole conversation in place of the change. */
export const beginsMembershipOf = (user: UserId, event: ConversationEvent): boolean =>
  event.type === 'conversation-started' || (event.type === 'member-added' && event.userId === user);

/**
 * What an event means to a user who may receive it: one of at most two frames, which all receivers share. `known` is the
 * membership at or after the event, and `name` the group's name there.
 */
export const frameFor = (
  user: UserId,
  conversationId: ConversationId,
  event: ConversationEvent,
  recorded: RecordedEvent,
  known: KnownMembership,
  name: string | null,
): Buffer =>
  event.type === 'conversation-started' || (event.type === 'member-added' && event.userId === user)
    ? conversationFrame(conversationId, event, recorded.time, known, name)
    : changeFrame(conversationId, event, recorded);

/** To those who hold the conversation already. */
export const changeFrame = (
  conversationId: ConversationId,
  event: Exclude<ConversationEvent, { type: 'conversation-started' }>,
  { revision, time }: RecordedEvent,
): Buffer => {
  const { by } = event;
  const change = { conversationId, by, time, version: versionAt(revision, event.seq) };
  switch (event.type) {
    case 'message-sent': {
      const { seq, commandId: messageId, content, replyTo } = event;
      const reply = replyTo === null ? {} : { replyTo };
      return encodeFrame({ type: 'message', conversationId, seq, messageId, by, time, content, ...reply });
    }
    case 'message-edited':
      return encodeFrame({ type: 'edited', ...change, seq: event.target, content: event.content });
    case 'message-deleted':
      return encodeFrame({ type: 'deleted', ...change, seq: event.target });
    case 'conversation-renamed':
      return encodeFrame({ type: 'renamed', ...change, name: event.name });
    case 'member-added':
      return encodeFrame({ type: 'member-added', ...change, userId: event.userId, role: event.role });
    case 'member-removed':
      return encodeFrame({ type: 'member-removed', ...change, userId: event.userId });
    case 'member-left':
      return encodeFrame({ type: 'member-left', ...change });
    case 'role-changed':
      return encodeFrame({ type: 'role-changed', ...change, userId: event.userId, role: event.role });
    default:
      return event satisfies never;
  }
};

/** Whether the event says something that a block of its author hides. */
export const isHideable = (event: ConversationEvent): event is HideableEvent =>
  event.type === 'message-sent' || event.type === 'message-edited';

type HideableEvent = Extract<ConversationEvent, { type: 'message-sent' | 'message-edited' }>;

/** To those who block the author: the seq and nothing of what was said, so that nobody sees a hole. */
export const placeholderFrame = (
  conversationId: ConversationId,
  event: HideableEvent,
  { revision, time }: RecordedEvent,
): Buffer => {
  const { by, seq } = event;
  const hidden = { content: null, hidden: true } as const;
  return event.type === 'message-sent'
    ? encodeFrame({ type: 'message', conversationId, seq, messageId: event.commandId, by, time, ...hidden })
    : encodeFrame({
        type: 'edited',
        conversationId,
        by,
        time,
        version: versionAt(revision, seq),
        seq: event.target,
        ...hidden,
      });
};

/** The whole of a conversation as it is known, to those whose membership the event begins. */
export const conversationFrame = (
  conversationId: ConversationId,
  event: Extract<ConversationEvent, { type: 'conversation-started' | 'member-added' }>,
  time: number,
  { state, revision }: Pick<KnownMembership, 'state' | 'revision'>,
  name: string | null,
): Buffer =>
  encodeFrame({
    type: 'conversation',
    conversationId,
    kind: state.kind,
    name,
    members: Array.from(state.members, ([userId, { role }]) => ({ userId, role })),
    seq: state.seq,
    visibleFrom: event.type === 'member-added' ? event.visibleFrom : event.seq,
    by: event.by,
    time,
    version: versionAt(revision, state.seq),
  });

/** Where members stand, to all who are shown it. */
export const receiptsFrame = (conversationId: ConversationId, marks: ReceiptsEvent['marks'], time: number): Buffer =>
  encodeFrame({ type: 'receipts', conversationId, marks, time });

/** What a user changed on its own account, to its devices; undefined: nothing that they show. */
export const accountFrame = (event: UserEvent, { revision, time }: RecordedEvent): Buffer | undefined => {
  const change = { time, version: revision + 1 };
  switch (event.type) {
    case 'chat-settings-changed': {
      const { conversationId, mutedUntil, pinned, archivedAt } = event;
      return encodeFrame({ type: 'chat-settings', conversationId, mutedUntil, pinned, archivedAt, ...change });
    }
    case 'user-blocked':
      return encodeFrame({ type: 'blocked', userId: event.blocked, ...change });
    case 'user-unblocked':
      return encodeFrame({ type: 'unblocked', userId: event.blocked, ...change });
    case 'profile-changed': {
      const { displayName = null, statusText = null } = event.profile ?? {};
      return encodeFrame({ type: 'profile', displayName, statusText, ...change });
    }
    case 'user-registered':
    case 'contact-saved':
    case 'contact-removed':
    case 'sessions-ended':
    case 'user-disabled':
    case 'user-erased':
      return undefined;
    default:
      return event satisfies never;
  }
};

/** How people are, to who may know it. */
export const presenceFrame = (users: readonly Presence[]): Buffer =>
  encodeFrame({
    type: 'presence',
    // Who is not shown looks like somebody who never comes.
    users: users.map(({ shown, ...seen }) => ({ ...seen, live: shown !== 'asked' })),
  });

export const typingFrame = (conversationId: ConversationId, by: UserId): Buffer =>
  encodeFrame({ type: 'typing', conversationId, by });

/** How many events of the conversation up to `revision` are no messages. */
const versionAt = (revision: number, seq: number): number => revision + 1 - seq;
