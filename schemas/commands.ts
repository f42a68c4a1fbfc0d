import { z } from 'zod';
import { conversationName, messageContent, reservedContentTypes, reservedSendFields, wellFormed } from './content.ts';
import { role } from './conversation-events.ts';
import { commandId, conversationId, seq, userId, type CommandId } from './ids.ts';

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
]);
/** What a user asks for, as it comes over the socket and over REST. */
export type Command = z.infer<typeof command>;

export const commandIdOf = (given: Command): CommandId => (given.type === 'send' ? given.messageId : given.commandId);

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
