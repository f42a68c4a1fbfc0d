import { z } from 'zod';
import { messageContent } from './content.ts';
import { conversationKind, role } from './conversation-events.ts';
import { commandId, conversationId, seq, userId } from './ids.ts';

const time = z.int();
const count = z.int().min(0);
const version = z.int().min(0);

/** A message as it is now. `content` is null where nothing is shown: deleted, hidden by a block, its author erased. */
export const messageView = z
  .strictObject({
    seq,
    messageId: commandId,
    by: userId,
    time,
    /** 0 until it is edited or deleted; what carries a lower one is older. */
    version,
    state: z.enum(['shown', 'deleted', 'hidden']),
    content: messageContent.nullable(),
    replyTo: seq.nullable(),
    editedAt: time.nullable(),
    /** `content` is only its beginning, as in a chat list. */
    cut: z.boolean(),
  })
  .meta({ id: 'Message' });

export type MessageView = Readonly<z.infer<typeof messageView>>;

/** A conversation as the caller has it. */
export const chatView = z
  .strictObject({
    conversationId,
    kind: conversationKind,
    name: z.string().nullable(),
    /** The other one of a one-to-one chat. */
    peer: userId.nullable(),
    role,
    memberCount: count,
    /** Of the last message. */
    seq,
    /** The caller sees the messages after it. */
    visibleFrom: seq,
    version,
    lastMessage: messageView.nullable(),
    activeAt: time,
    /** The caller's own marks. */
    delivered: seq,
    read: seq,
    unread: count,
    /** 0: not muted. */
    mutedUntil: time,
    pinned: z.boolean(),
    archived: z.boolean(),
    /** Older than the rest: an event of it could not be taken in. */
    incomplete: z.boolean(),
  })
  .meta({ id: 'Chat' });

export type ChatView = Readonly<z.infer<typeof chatView>>;

/** A member, and how far. A message is delivered to those with `visibleFrom` < its seq ≤ `delivered`; so with `read`. */
export const memberView = z
  .strictObject({
    userId,
    role,
    visibleFrom: seq,
    delivered: seq,
    read: seq,
    deliveredAt: time.nullable(),
    readAt: time.nullable(),
  })
  .meta({ id: 'Member' });

export type MemberView = Readonly<z.infer<typeof memberView>>;

export const profileView = z
  .strictObject({
    userId,
    displayName: z.string().nullable(),
    statusText: z.string().nullable(),
    erased: z.boolean(),
  })
  .meta({ id: 'Profile' });

export type ProfileView = Readonly<z.infer<typeof profileView>>;

/** What became of something that the caller may see, as it is now. */
export const changeView = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('chat'), chat: chatView }),
  z.strictObject({ type: z.literal('ended'), conversationId }),
  /** Of somebody in a chat of the caller's. Erased: nothing that this person wrote is shown any more. */
  z.strictObject({ type: z.literal('profile'), profile: profileView }),
  /** Whom the caller blocks is another list now. */
  z.strictObject({ type: z.literal('blocks') }),
]);

export type ChangeView = Readonly<z.infer<typeof changeView>>;

export const searchHitView = z
  .strictObject({
    conversationId,
    seq,
    by: userId,
    time,
    content: messageContent,
    /** [start, end) in UTF-16 code units of the text, or of a location's label. */
    highlights: z.array(z.tuple([count, count]).readonly()).readonly(),
  })
  .meta({ id: 'SearchHit' });
