import { codePoints } from '../schemas/code-points.ts';
import type { MessageContent } from '../schemas/content.ts';
import type { ConversationEvent, Role } from '../schemas/conversation-events.ts';
import { reject, type Rejection } from '../schemas/errors.ts';
import { timeOfUuid, type CommandId, type Seq, type UserId } from '../schemas/ids.ts';
import type { Limits } from '../schemas/limits.ts';
import type { Conversation, Member } from './conversation.ts';
import { isDeleted } from './deleted-messages.ts';
import { seesMessage } from './visibility.ts';

/** What no change to a message ever alters, so it may be looked up before the command's turn. */
export interface Target {
  readonly author: UserId;
  /** Undefined: the author was erased. */
  readonly contentType: MessageContent['type'] | undefined;
}

interface Asked {
  readonly id: CommandId;
  readonly by: UserId;
  readonly mac: string;
}

/** A command with every name resolved to a user, and of an edit or a delete the message it names; undefined: none. */
export type ConversationCommand = Asked &
  (
    | { readonly type: 'start-direct'; readonly with: UserId }
    | { readonly type: 'create-group'; readonly name: string; readonly members: readonly UserId[] }
    | { readonly type: 'rename'; readonly name: string }
    | { readonly type: 'add-member'; readonly user: UserId }
    | { readonly type: 'remove-member'; readonly user: UserId }
    | { readonly type: 'leave' }
    | { readonly type: 'change-role'; readonly user: UserId; readonly role: Role }
    | { readonly type: 'send'; readonly content: MessageContent; readonly replyTo: Seq | undefined }
    | {
        readonly type: 'edit';
        readonly seq: Seq;
        readonly content: MessageContent;
        readonly target: Target | undefined;
      }
    | { readonly type: 'delete'; readonly seq: Seq; readonly target: Target | undefined }
  );

type CommandOf<T extends ConversationCommand['type']> = Extract<ConversationCommand, { type: T }>;

export type Decision<Event = ConversationEvent> =
  /** To be appended together, at least one. */
  | { readonly outcome: 'events'; readonly events: readonly Event[] }
  /** It is so already: answered like a success, and nothing is written. */
  | { readonly outcome: 'unchanged' }
  | { readonly outcome: 'rejected'; readonly rejection: Rejection };

const unchanged: Decision = { outcome: 'unchanged' };
const decided = (...events: readonly ConversationEvent[]): Decision => ({ outcome: 'events', events });
const rejected = (...because: Parameters<typeof reject>): Decision => ({
  outcome: 'rejected',
  rejection: reject(...because),
});

/** What every event of a command says; `seq` is the conversation's after the event. */
const saying = (before: Conversation | undefined, { id, by, mac }: Asked, seq: Seq) => ({
  commandId: id,
  idTimeMax: Math.max(before?.window.idTimeMax ?? 0, timeOfUuid(id)),
  mac,
  by,
  seq,
});

/** The rules of a conversation. Whether the command's id was seen before is settled first, by the id window. */
export const decide = (before: Conversation | undefined, command: ConversationCommand, limits: Limits): Decision => {
  if (command.type === 'start-direct') return startDirect(before, command);
  if (command.type === 'create-group') return createGroup(before, command, limits);
  const member = before?.members.get(command.by);
  if (before === undefined || member === undefined) {
    return rejected('conversation_not_found', 'there is no such conversation, or you are not a member of it');
  }
  switch (command.type) {
    case 'send':
      return send(before, command, member, limits);
    case 'edit':
      return edit(before, command, member, limits);
    case 'delete':
      return deleteMessage(before, command, member);
    case 'rename':
    case 'add-member':
    case 'remove-member':
    case 'leave':
    case 'change-role':
      return before.kind === 'direct'
        ? rejected('not_a_group', 'this is a one-to-one conversation')
        : decideInGroup(before, command, member, limits);
    default:
      return command satisfies never;
  }
};

/** The id of a one-to-one conversation derives from its two members, so whoever opens it again gets the same. */
const startDirect = (before: Conversation | undefined, command: CommandOf<'start-direct'>): Decision => {
  if (command.with === command.by) return rejected('own_user', 'a one-to-one conversation is with somebody else');
  if (before !== undefined) return unchanged;
  return decided({
    type: 'conversation-started',
    ...saying(before, command, 0),
    kind: 'direct',
    members: [
      { userId: command.by, role: 'member' },
      { userId: command.with, role: 'member' },
    ],
  });
};

const createGroup = (
  before: Conversation | undefined,
  command: CommandOf<'create-group'>,
  limits: Limits,
): Decision => {
  if (before !== undefined) return rejected('command_id_reused', 'this commandId created another conversation');
  const others = new Set(command.members);
  others.delete(command.by);
  if (others.size + 1 > limits.groupMembers) return groupFull(others.size + 1, limits);
  const said = saying(before, command, 0);
  return decided(
    {
      type: 'conversation-started',
      ...said,
      kind: 'group',
      members: [
        { userId: command.by, role: 'admin' },
        ...Array.from(others, (userId) => ({ userId, role: 'member' as const })),
      ],
    },
    { type: 'conversation-renamed', ...said, name: command.name },
  );
};

const decideInGroup = (
  before: Conversation,
  command: CommandOf<'rename' | 'add-member' | 'remove-member' | 'leave' | 'change-role'>,
  member: Member,
  limits: Limits,
): Decision => {
  if (command.type === 'leave') return leave(before, command, member);
  if (command.type === 'remove-member' && command.user === command.by) {
    return rejected('own_user', 'to go yourself, leave the group');
  }
  if (member.role !== 'admin') return rejected('admin_required', 'only an admin of the group may do this');
  const said = saying(before, command, before.seq);
  switch (command.type) {
    case 'rename':
      return decided({ type: 'conversation-renamed', ...said, name: command.name });
    case 'add-member':
      if (before.members.has(command.user)) return rejected('already_member', 'the user is a member already');
      if (before.members.size >= limits.groupMembers) return groupFull(before.members.size + 1, limits);
      return decided({
        type: 'member-added',
        ...said,
        userId: command.user,
        role: 'member',
        visibleFrom: before.seq,
      });
    case 'remove-member':
      if (!before.members.has(command.user)) return notAMember();
      return decided({ type: 'member-removed', ...said, userId: command.user });
    case 'change-role':
      return changeRole(before, command);
    default:
      return command satisfies never;
  }
};

const changeRole = (before: Conversation, command: CommandOf<'change-role'>): Decision => {
  const present = before.members.get(command.user);
  if (present === undefined) return notAMember();
  if (present.role === command.role) return unchanged;
  if (present.role === 'admin' && adminsOf(before) === 1) {
    return rejected('admin_required', 'a group keeps at least one admin: make somebody else admin first');
  }
  const { user, role } = command;
  return decided({ type: 'role-changed', ...saying(before, command, before.seq), userId: user, role });
};

/** When the last admin leaves, the longest-standing member becomes one first: a group has an admin at every revision. */
const leave = (before: Conversation, command: CommandOf<'leave'>, member: Member): Decision => {
  const said = saying(before, command, before.seq);
  const left: ConversationEvent = { type: 'member-left', ...said };
  if (member.role !== 'admin' || adminsOf(before) > 1) return decided(left);
  const heir = [...before.members.keys()].find((user) => user !== command.by);
  if (heir === undefined) return decided(left);
  return decided({ type: 'role-changed', ...said, userId: heir, role: 'admin' }, left);
};

const adminsOf = ({ members }: Conversation): number =>
  [...members.values()].filter(({ role }) => role === 'admin').length;

const send = (before: Conversation, command: CommandOf<'send'>, member: Member, limits: Limits): Decision => {
  const { content, replyTo } = command;
  if (replyTo !== undefined && !seesMessage(before, member, replyTo)) return messageNotFound(replyTo);
  return (
    tooLong(content, limits) ??
    decided({ type: 'message-sent', ...saying(before, command, before.seq + 1), replyTo: replyTo ?? null, content })
  );
};

const edit = (before: Conversation, command: CommandOf<'edit'>, member: Member, limits: Limits): Decision => {
  const { content, seq, target } = command;
  const refused = mayNotChange(before, command, member);
  if (refused !== undefined) return refused;
  if (content.type !== target?.contentType) return rejected('invalid', 'content.type: an edit keeps the type');
  return (
    tooLong(content, limits) ??
    decided({ type: 'message-edited', ...saying(before, command, before.seq), target: seq, content })
  );
};

const deleteMessage = (before: Conversation, command: CommandOf<'delete'>, member: Member): Decision =>
  mayNotChange(before, command, member) ??
  decided({ type: 'message-deleted', ...saying(before, command, before.seq), target: command.seq });

const mayNotChange = (
  before: Conversation,
  { by, seq, target }: CommandOf<'edit' | 'delete'>,
  member: Member,
): Decision | undefined => {
  if (target === undefined || !seesMessage(before, member, seq)) return messageNotFound(seq);
  if (target.author !== by) return rejected('not_author', 'only its author may edit or delete a message');
  if (isDeleted(before.deleted, seq)) return rejected('message_deleted', `message ${seq} is deleted`);
  return undefined;
};

const tooLong = (content: MessageContent, { textCharacters }: Limits): Decision | undefined => {
  // A string has at least as many UTF-16 units as characters, so the common case needs no count.
  if (content.type !== 'text' || content.text.length <= textCharacters) return undefined;
  const count = codePoints(content.text);
  return count <= textCharacters
    ? undefined
    : rejected('text_too_long', `text: ${count} characters (Unicode code points); the limit is ${textCharacters}`);
};

const messageNotFound = (seq: Seq): Decision =>
  rejected('message_not_found', `there is no message ${seq}, or you may not see it`);

const notAMember = (): Decision => rejected('not_a_member', 'the user is not a member of the group');

const groupFull = (members: number, { groupMembers }: Limits): Decision =>
  rejected('group_full', `the group would have ${members} members; the limit is ${groupMembers}`);
