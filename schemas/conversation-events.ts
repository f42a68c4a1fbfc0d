import { z } from 'zod';
import { conversationName, messageContent } from './content.ts';
import { commandId, seq, userId } from './ids.ts';

export const role = z.enum(['admin', 'member']);
export type Role = z.infer<typeof role>;

export const conversationKind = z.enum(['direct', 'group']);
export type ConversationKind = z.infer<typeof conversationKind>;

const timeMs = z.int().min(0);

/**
 * What every event of a conversation says. `seq` is the seq of the conversation after the event: its own for a
 * message, else that of the last message. So a message is found in its stream by binary search, and
 * `revision + 1 - seq` counts the changes that are not messages (the `version` clients see).
 */
const base = {
  /** The command that caused it; of a message, the `messageId`. */
  commandId,
  /** The running maximum of the times in the ids so far, this one included: tells a backward reader when to stop. */
  idTimeMax: timeMs,
  /** HMAC of (id, original body) under a key derived from the author's: 16 bytes as base64url. */
  mac: z.string().regex(/^[A-Za-z0-9_-]{22}$/),
  by: userId,
  seq,
};

/** Personal fields are null when the key of their subject is gone: erased and missing look the same. */
export const conversationStarted = z.strictObject({
  type: z.literal('conversation-started'),
  ...base,
  kind: conversationKind,
  members: z.array(z.strictObject({ userId, role })).min(1),
});

/** Beside `conversation-started`: the name belongs to another subject, and two subjects are two events. */
export const conversationRenamed = z.strictObject({
  type: z.literal('conversation-renamed'),
  ...base,
  name: conversationName.nullable(),
});

export const memberAdded = z.strictObject({
  type: z.literal('member-added'),
  ...base,
  userId,
  role,
  /** The member sees messages after this seq: today the seq at the time of the event. */
  visibleFrom: seq,
});

export const memberRemoved = z.strictObject({ type: z.literal('member-removed'), ...base, userId });

export const memberLeft = z.strictObject({ type: z.literal('member-left'), ...base });

export const roleChanged = z.strictObject({ type: z.literal('role-changed'), ...base, userId, role });

export const messageSent = z.strictObject({
  type: z.literal('message-sent'),
  ...base,
  replyTo: seq.min(1).nullable(),
  content: messageContent.nullable(),
});

export const messageEdited = z.strictObject({
  type: z.literal('message-edited'),
  ...base,
  target: seq.min(1),
  content: messageContent.nullable(),
});

export const messageDeleted = z.strictObject({ type: z.literal('message-deleted'), ...base, target: seq.min(1) });

export const conversationEvent = z.discriminatedUnion('type', [
  conversationStarted,
  conversationRenamed,
  memberAdded,
  memberRemoved,
  memberLeft,
  roleChanged,
  messageSent,
  messageEdited,
  messageDeleted,
]);
export type ConversationEvent = z.infer<typeof conversationEvent>;
