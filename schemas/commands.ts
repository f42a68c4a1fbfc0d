import { z } from 'zod';
import { conversationName, messageContent, reservedContentTypes, reservedSendFields, wellFormed } from './content.ts';
import { role } from './conversation-events.ts';
import { commandId, conversationId, deviceId, seq, userId, type CommandId } from './ids.ts';
import { availability } from './presence-events.ts';
import { userProfile } from './user-events.ts';

/** Names a person: by id, or by the name an issuer knows; without `issuer`, the issuer of the caller's own token. */
export const userRef = z.union([
  userId,
  z.strictObject({
    issuer: wellFormed.min(1).max(500).optional(),
    name: wellFormed.min(1).max(500),
  }),
]);
export type UserRef = z.infer<typeof userRef>;

export const startDirect = z.strictObject({ type: z.literal('start-direct'), commandId, with: userRef });

export const createGroup = z.strictObject({
  type: z.literal('create-group'),
  commandId,
  name: conversationName,
  /** Beside the creator, who is the first admin. */
  members: z.array(userRef).max(10_000),
});

export const rename = z.strictObject({ type: z.literal('rename'), commandId, conversationId, name: conversationName });

export const addMember = z.strictObject({ type: z.literal('add-member'), commandId, conversationId, user: userRef });

export const removeMember = z.strictObject({
  type: z.literal('remove-member'),
  commandId,
  conversationId,
  user: userRef,
});

export const leave = z.strictObject({ type: z.literal('leave'), commandId, conversationId });

export const changeRole = z.strictObject({
  type: z.literal('change-role'),
  commandId,
  conversationId,
  user: userRef,
  role,
});

export const send = z.strictObject({
  type: z.literal('send'),
  messageId: commandId,
  conversationId,
  content: messageContent,
  /** The seq of the message replied to. */
  replyTo: seq.min(1).optional(),
});

export const edit = z.strictObject({
  type: z.literal('edit'),
  commandId,
  conversationId,
  /** The message to edit. */
  seq: seq.min(1),
  content: messageContent,
});

export const deleteMessage = z.strictObject({
  type: z.literal('delete'),
  commandId,
  conversationId,
  seq: seq.min(1),
});

export const markFields = {
  /** Up to here the messages are on a device of the caller. */
  delivered: seq.min(1).optional(),
  /** Up to here the caller has read; read is delivered too. */
  read: seq.min(1).optional(),
};
export const saysAMark = [
  ({ delivered, read }: { readonly delivered?: unknown; readonly read?: unknown }): boolean =>
    delivered !== undefined || read !== undefined,
  'delivered or read: one of them is needed',
] as const;

/** Carries no id: a mark only ever moves forward, so one that comes again changes nothing. */
export const mark = z.strictObject({ type: z.literal('mark'), conversationId, ...markFields }).refine(...saysAMark);

/** What is left out stays as it is. */
export const changeChatSettings = z.strictObject({
  type: z.literal('change-chat-settings'),
  commandId,
  conversationId,
  /** Muted until this time in milliseconds; 0 is not muted. */
  mutedUntil: z.int().min(0).optional(),
  pinned: z.boolean().optional(),
  /** Archived until a later message comes. */
  archived: z.boolean().optional(),
});

export const block = z.strictObject({ type: z.literal('block'), commandId, user: userRef });
export const unblock = z.strictObject({ type: z.literal('unblock'), commandId, user: userRef });

/** The whole profile: what is left out is removed. */
export const changeProfile = z.strictObject({ type: z.literal('change-profile'), commandId, ...userProfile.shape });

/** Ends the connections of a device of the caller's: of the one that asks unless another is named; null: of all. */
export const signOut = z.strictObject({
  type: z.literal('sign-out'),
  commandId,
  deviceId: deviceId.nullable().optional(),
});

/** The whole status: a text that is left out is removed. What is announced last counts, so its id only names its answer. */
export const announceStatus = z.strictObject({
  type: z.literal('announce-status'),
  commandId,
  availability,
  text: wellFormed.min(1).max(500).optional(),
});

export const command = z.discriminatedUnion('type', [
  startDirect,
  createGroup,
  rename,
  addMember,
  removeMember,
  leave,
  changeRole,
  send,
  edit,
  deleteMessage,
  mark,
  changeChatSettings,
  block,
  unblock,
  changeProfile,
  signOut,
  announceStatus,
]);
/** What a user asks for, as it comes over the socket and over REST. */
export type Command = z.infer<typeof command>;
/** The same as a client writes it: its ids are plain strings. */
export type CommandInput = z.input<typeof command>;
type CommandOf<T extends Command['type']> = Extract<Command, { type: T }>;

export type MarkCommand = CommandOf<'mark'>;
export type AnnounceStatus = CommandOf<'announce-status'>;
/** Commands on the caller's own stream. */
export type UserCommand = CommandOf<'change-chat-settings' | 'block' | 'unblock' | 'change-profile' | 'sign-out'>;
const userCommands: ReadonlySet<Command['type']> = new Set<UserCommand['type']>([
  'change-chat-settings',
  'block',
  'unblock',
  'change-profile',
  'sign-out',
]);
export const isUserCommandType = (type: Command['type']): boolean => userCommands.has(type);
export const isUserCommand = (given: Command): given is UserCommand => isUserCommandType(given.type);

/** Commands on a conversation's stream. */
export type ConversationCommand = Exclude<Command, MarkCommand | AnnounceStatus | UserCommand>;

export const commandIdOf = (given: Exclude<Command, MarkCommand>): CommandId =>
  given.type === 'send' ? given.messageId : given.commandId;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The first reserved name a raw command uses, e.g. `content.type "image"`: known to us, not built yet. */
export const reservedPart = (raw: unknown): string | undefined => {
  if (!isRecord(raw)) return undefined;
  const field = reservedSendFields.find((name) => Object.hasOwn(raw, name));
  if (field !== undefined) return field;
  const type = isRecord(raw['content']) ? raw['content']['type'] : undefined;
  const reserved = reservedContentTypes.find((name) => name === type);
  return reserved === undefined ? undefined : `content.type "${reserved}"`;
};
