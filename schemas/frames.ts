import { z } from 'zod';
import { command, reservedPart } from './commands.ts';
import { messageContent } from './content.ts';
import { conversationKind, role } from './conversation-events.ts';
import { errors, type ErrorCode } from './errors.ts';
import { commandId, conversationId, deviceId, seq, userId } from './ids.ts';
import { mostPresenceUsers } from './limits.ts';
import { invalid, type Parsed } from './parse.ts';
import { availability } from './presence-events.ts';
import { changeView, memberView, messageView } from './views.ts';

/** First frame of a client: everything after the cursor, then live. Without a cursor: from the beginning. */
export const resume = z.strictObject({ type: z.literal('resume'), cursor: z.string().max(1_000).nullable() });

/**
 * First frame of a client that holds nothing: its chats as they are now, and live from then on. `after`: `next` of the last
 * `changes` that it stored, if a first sync was cut off.
 */
export const firstSync = z.strictObject({ type: z.literal('first-sync'), after: z.string().max(1_000).nullable() });

/** For clients that cannot send WebSocket pings; answered by `pong`. */
export const ping = z.strictObject({ type: z.literal('ping') });

/** A fresh token for the same user and device, before the old one expires. */
export const renew = z.strictObject({ type: z.literal('renew'), token: z.string().min(1).max(8_192) });

/** Whom the client shows, in place of those it named before: answered by how they are, then told of their changes. */
export const subscribePresence = z.strictObject({
  type: z.literal('subscribe-presence'),
  users: z.array(userId).max(mostPresenceUsers),
});

/** The user types in a conversation, at this moment. Nobody answers it. */
export const typing = z.strictObject({ type: z.literal('typing'), conversationId });

export const clientFrame = z.discriminatedUnion('type', [
  resume,
  firstSync,
  ping,
  renew,
  subscribePresence,
  typing,
  command,
]);
export type ClientFrame = z.infer<typeof clientFrame>;
export type ClientFrameOf<T extends ClientFrame['type']> = Extract<ClientFrame, { type: T }>;
/** The same as a client writes it: its ids are plain strings. */
export type ClientFrameInput = z.input<typeof clientFrame>;

const rawId = z.object({ messageId: z.string().max(64).optional(), commandId: z.string().max(64).optional() });

/** A frame that was not understood, with whatever id it carried, so that the answer can name it. */
export interface FrameRefused {
  readonly messageId?: string | undefined;
  readonly commandId?: string | undefined;
}

export const parseClientFrame = (raw: unknown): Parsed<ClientFrame> => {
  const reserved = reservedPart(raw);
  if (reserved !== undefined) return { ok: false, code: 'unsupported', message: `${reserved} is not supported yet` };
  const parsed = clientFrame.safeParse(raw);
  return parsed.success ? { ok: true, value: parsed.data } : invalid(parsed.error);
};

export const idsOf = (raw: unknown): FrameRefused => rawId.safeParse(raw).data ?? {};

const timeMs = z.int();
/** Rises with every change of a conversation that is not a message; a client ignores what carries a lower one. */
const version = z.int().min(0);
export const errorCode = z.enum(Object.keys(errors) as [ErrorCode, ...ErrorCode[]]);

/** What a refusal says beside its code, for a client to compute with. */
export const refusalDetails = {
  /** As in the table of errors, so that a client knows what to do about a code it does not know. */
  retry: z.enum(['never', 'same_id', 'after', 'after_login']),
  retryAfterMs: z.int().min(0).optional(),
  serverTime: timeMs.optional(),
  limiter: z.string().optional(),
};

export const welcome = z.strictObject({
  type: z.literal('welcome'),
  protocol: z.literal(1),
  userId,
  deviceId,
  time: timeMs,
  limits: z.strictObject({ textCharacters: z.int(), groupMembers: z.int(), frameBytes: z.int() }),
});

const answer = {
  messageId: commandId.optional(),
  commandId: commandId.optional(),
};

export const accepted = z.strictObject({
  type: z.literal('accepted'),
  ...answer,
  conversationId,
  /** Of a send. */
  seq: seq.optional(),
  time: timeMs,
  /** The hash chain's link of the event: 32 bytes as base64url. */
  chain: z.string(),
  /** For `Parley-Read-After`. */
  readAfter: z.string(),
});

/** A command on the caller's own stream: settings, blocks, profile. */
export const saved = z.strictObject({
  type: z.literal('saved'),
  commandId,
  time: timeMs,
  chain: z.string(),
  readAfter: z.string(),
});

/** The caller's marks in a conversation, as the log has them now: they may be ahead of what was asked. */
export const marked = z.strictObject({
  type: z.literal('marked'),
  conversationId,
  delivered: seq,
  read: seq,
  time: timeMs,
  readAfter: z.string(),
});

/** The caller's status, as others see it now. */
export const announced = z.strictObject({
  type: z.literal('announced'),
  commandId,
  time: timeMs,
  readAfter: z.string(),
});

export const rejected = z.strictObject({
  type: z.literal('rejected'),
  messageId: z.string().optional(),
  commandId: z.string().optional(),
  /** Of a mark, which has no id. */
  conversationId: conversationId.optional(),
  code: errorCode,
  message: z.string(),
  ...refusalDetails,
});

/** The whole of a conversation: when it starts, and to a member who was added. */
export const conversationFrame = z.strictObject({
  type: z.literal('conversation'),
  conversationId,
  kind: conversationKind,
  name: z.string().nullable(),
  members: z.array(z.strictObject({ userId, role })),
  /** The seq of the last message; the receiver sees messages after `visibleFrom`. */
  seq,
  visibleFrom: seq,
  by: userId,
  time: timeMs,
  version,
});

const change = { conversationId, by: userId, time: timeMs, version };

export const memberAddedFrame = z.strictObject({ type: z.literal('member-added'), ...change, userId, role });
export const memberRemovedFrame = z.strictObject({ type: z.literal('member-removed'), ...change, userId });
export const memberLeftFrame = z.strictObject({ type: z.literal('member-left'), ...change });
export const roleChangedFrame = z.strictObject({ type: z.literal('role-changed'), ...change, userId, role });
export const renamedFrame = z.strictObject({ type: z.literal('renamed'), ...change, name: z.string().nullable() });

/** The receiver blocks the author: the message keeps its place and says nothing else. */
const hidden = z.literal(true).optional();

export const messageFrame = z.strictObject({
  type: z.literal('message'),
  conversationId,
  seq,
  messageId: commandId,
  by: userId,
  time: timeMs,
  /** null: the author was erased, or the message is hidden. */
  content: messageContent.nullable(),
  replyTo: seq.optional(),
  hidden,
});

export const editedFrame = z.strictObject({
  type: z.literal('edited'),
  ...change,
  seq,
  content: messageContent.nullable(),
  hidden,
});
export const deletedFrame = z.strictObject({ type: z.literal('deleted'), ...change, seq });

/** How far members of a conversation have come: of each one that moved on, where it stands now. */
export const receiptsFrame = z.strictObject({
  type: z.literal('receipts'),
  conversationId,
  marks: z.array(z.strictObject({ userId, delivered: seq, read: seq })),
  time: timeMs,
});

/** What the receiver changed on its own account, for its other devices. `version` rises with every change of the account. */
const ownChange = { time: timeMs, version };

export const chatSettingsFrame = z.strictObject({
  type: z.literal('chat-settings'),
  conversationId,
  mutedUntil: timeMs,
  pinned: z.boolean(),
  /** Archived as long as the conversation's last message is not after it; null is not archived. */
  archivedAt: seq.nullable(),
  ...ownChange,
});
export const blockedFrame = z.strictObject({ type: z.literal('blocked'), userId, ...ownChange });
export const unblockedFrame = z.strictObject({ type: z.literal('unblocked'), userId, ...ownChange });
/** How people are: those asked for, or one who changed. */
export const presenceFrame = z.strictObject({
  type: z.literal('presence'),
  users: z.array(
    z.strictObject({
      userId,
      online: z.boolean(),
      /** null: online, or never yet, or not for the receiver to know. */
      lastSeen: timeMs.nullable(),
      availability,
      statusText: z.string().nullable(),
      version,
      /** Whether changes come by themselves; else they have to be asked for. */
      live: z.boolean(),
    }),
  ),
});

/** Another member types: for five seconds, or until its message comes. */
export const typingFrame = z.strictObject({ type: z.literal('typing'), conversationId, by: userId });

export const profileFrame = z.strictObject({
  type: z.literal('profile'),
  displayName: z.string().nullable(),
  statusText: z.string().nullable(),
  ...ownChange,
});

/** Of a first sync: as `/v1/changes` answers. `next` goes into `first-sync` when the connection ends before `synced`. */
export const changesFrame = z.strictObject({
  type: z.literal('changes'),
  changes: z.array(changeView).readonly(),
  next: z.string(),
});

/** Of a first sync: the newest messages of a chat. */
export const historyFrame = z.strictObject({
  type: z.literal('history'),
  conversationId,
  /** null: they are very many. */
  members: z.array(memberView).readonly().nullable(),
  /** By rising seq, without a hole, up to the newest. */
  messages: z.array(messageView).readonly(),
  /** There are none before them for the receiver to see. */
  isFirst: z.boolean(),
});

/** Everything up to the cursor has been written to this socket: the only frame that moves a device's cursor. */
export const synced = z.strictObject({
  type: z.literal('synced'),
  cursor: z.string(),
  /** Nothing is left to catch up with: from here on frames come as things happen. */
  caughtUp: z.boolean(),
});
/** Catching up takes longer; sent every five seconds until `synced`. */
export const waiting = z.strictObject({ type: z.literal('waiting'), for: z.enum(['catch-up', 'log']) });
/** The cursor cannot be honoured: drop what is stored and resume without one. */
export const reset = z.strictObject({
  type: z.literal('reset'),
  reason: z.enum(['malformed_cursor', 'unknown_epoch', 'future_cursor']),
});
export const pong = z.strictObject({ type: z.literal('pong'), time: timeMs });
/** A frame that carried no id was refused; the connection goes on. */
export const errorFrame = z.strictObject({
  type: z.literal('error'),
  code: errorCode,
  message: z.string(),
  retryAfterMs: z.int().min(0).optional(),
  limiter: z.string().optional(),
});

export const serverFrame = z.discriminatedUnion('type', [
  welcome,
  accepted,
  saved,
  marked,
  announced,
  rejected,
  conversationFrame,
  memberAddedFrame,
  memberRemovedFrame,
  memberLeftFrame,
  roleChangedFrame,
  renamedFrame,
  messageFrame,
  editedFrame,
  deletedFrame,
  receiptsFrame,
  chatSettingsFrame,
  blockedFrame,
  unblockedFrame,
  profileFrame,
  presenceFrame,
  typingFrame,
  changesFrame,
  historyFrame,
  synced,
  waiting,
  reset,
  pong,
  errorFrame,
]);
export type ServerFrame = z.infer<typeof serverFrame>;
export type ServerFrameOf<T extends ServerFrame['type']> = Extract<ServerFrame, { type: T }>;
