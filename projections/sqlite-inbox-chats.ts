import type { DatabaseSync } from 'node:sqlite';
import type { ConversationId, UserId } from '../schemas/ids.ts';
import { conversationStream, receiptsStream } from '../schemas/streams.ts';
import type { ChangeAt, Chat, Message, TotalUnread } from './inbox.ts';
import { fromMessage, inboxAccess, messageColumns, messageIn, type Asker } from './sqlite-inbox-access.ts';
import { previewOf } from './inbox-chat-list.ts';
import { bucketOf, bucketSize, idBytes, kinds, roles } from './inbox-codes.ts';
import {
  conversationIdIn,
  userIdIn,
  messageState,
  numberIn,
  numberOrNull,
  textOrNull,
  type Row,
} from './sqlite-inbox-file.ts';

const isArchived = '(setting.archived_at IS NOT NULL AND conversation.seq <= setting.archived_at)';
const activePlace = 'max(conversation.active_place, member.joined_place)';
const chatPlace = 'max(conversation.place, conversation.marks_place, member.place, coalesce(setting.place, 0))';

const chatColumns = `conversation.no, conversation.id, kind, name, members, conversation.seq, conversation.revision,
  active_place, active_at, member.role, visible_from, joined_place, member.at AS joined_at,
  coalesce(delivered, 0) AS delivered, coalesce(read, 0) AS read, coalesce(own, 0) AS own,
  coalesce(muted_until, 0) AS muted_until, coalesce(pinned, 0) AS pinned, ${isArchived} AS archived,
  ${chatPlace} AS place, ${activePlace} AS active`;

const ofMember = `FROM member
  JOIN conversation ON conversation.no = member.conversation
  LEFT JOIN mark ON mark.conversation = member.conversation AND mark.user = member.user
  LEFT JOIN setting ON setting.user = member.user AND setting.conversation = member.conversation
  WHERE member.user = ?`;

export interface ChatsQuery {
  readonly user: UserId;
  /** Only chats whose activity is older than this place. */
  readonly before: number;
  readonly limit: number;
  readonly archived: boolean | null;
  readonly pinned: boolean | null;
}

export interface ChatsFound {
  readonly chats: readonly Chat[];
  /** The place of the last one's activity; null: nothing lies behind it. */
  readonly next: number | null;
  readonly incomplete: boolean;
}

/** One more than a page, to know whether it is the last. */
const pageOf = <T>(found: readonly T[], limit: number): { readonly page: readonly T[]; readonly isLast: boolean } => ({
  page: found.slice(0, limit),
  isLast: found.length <= limit,
});

const flag = (given: boolean | null): number | null => (given === null ? null : Number(given));

export const chatQueries = (db: DatabaseSync) => {
  const { asker, isParked } = inboxAccess(db);
  const list = db.prepare(`SELECT ${chatColumns} ${ofMember} AND member.role IS NOT NULL AND ${activePlace} < ?2
    AND (?3 IS NULL OR ${isArchived} = ?3) AND (?4 IS NULL OR coalesce(pinned, 0) = ?4)
    ORDER BY active DESC LIMIT ?5`);
  const one = db.prepare(`SELECT ${chatColumns} ${ofMember} AND member.role IS NOT NULL AND conversation.id = ?`);
  const unreadCandidates = db.prepare(`SELECT ${chatColumns} ${ofMember} AND member.role IS NOT NULL
    AND conversation.seq > max(coalesce(read, 0), coalesce(own, 0), visible_from) AND NOT ${isArchived}`);
  const changed = db.prepare(`SELECT ${chatColumns}, member.place AS ended_place ${ofMember}
    AND iif(member.role IS NULL, member.place, ${chatPlace}) > ?2
    ORDER BY iif(member.role IS NULL, member.place, ${chatPlace}) LIMIT ?3`);
  const peer = db.prepare(`SELECT id FROM member JOIN user ON user.no = member.user
    WHERE conversation = ? AND member.user <> ?`);
  const messageAt = db.prepare(
    `SELECT ${messageColumns} ${fromMessage} WHERE message.conversation = ? AND message.seq = ?`,
  );
  const notHidden = 'sender NOT IN (SELECT blocked FROM block WHERE user = ?4)';
  const countRows = db.prepare(`SELECT count(*) AS messages FROM message INDEXED BY message_by_seq
    WHERE conversation = ?1 AND seq BETWEEN ?2 AND ?3 AND state <> ${messageState.deleted} AND ${notHidden}`);
  const countBuckets = db.prepare(`SELECT coalesce(sum(messages), 0) AS messages FROM sent
    WHERE conversation = ?1 AND bucket BETWEEN ?2 AND ?3 AND ${notHidden}`);

  /** The part of a bucket after the mark is counted by rows, the buckets after it by what was sent in them. */
  const unreadAfter = (row: Row, user: Asker): number => {
    const [conversation, seq] = [numberIn(row, 'no'), numberIn(row, 'seq')];
    const first = Math.max(numberIn(row, 'read'), numberIn(row, 'own'), numberIn(row, 'visible_from')) + 1;
    if (first > seq) return 0;
    const wholeFrom = Math.ceil(first / bucketSize);
    const rowsTo = Math.min(wholeFrom * bucketSize - 1, seq);
    const inPart = first > rowsTo ? undefined : countRows.get(conversation, first, rowsTo, user.no);
    const inWhole = rowsTo === seq ? undefined : countBuckets.get(conversation, wholeFrom, bucketOf(seq), user.no);
    return [inPart, inWhole].reduce((sum, found) => sum + (found === undefined ? 0 : numberIn(found, 'messages')), 0);
  };

  const lastMessage = (row: Row, user: Asker): Message | null => {
    const seq = numberIn(row, 'seq');
    if (seq <= numberIn(row, 'visible_from')) return null;
    const found = messageAt.get(numberIn(row, 'no'), seq);
    if (found === undefined) return null;
    const message = messageIn(found, user);
    return { ...message, ...previewOf(message.content) };
  };

  const peerIn = (row: Row, user: Asker): UserId | null => {
    if (kinds[numberIn(row, 'kind')] !== 'direct') return null;
    const found = peer.get(numberIn(row, 'no'), user.no);
    return found === undefined ? null : userIdIn(found, 'id');
  };

  const chatIn = (row: Row, user: Asker): Chat => {
    const id = conversationIdIn(row, 'id');
    const [seq, own] = [numberIn(row, 'seq'), numberIn(row, 'own')];
    const joinedLast = numberIn(row, 'joined_place') > numberIn(row, 'active_place');
    return {
      conversationId: id,
      kind: kinds[numberIn(row, 'kind')] ?? 'group',
      name: textOrNull(row, 'name'),
      peer: peerIn(row, user),
      role: roles[numberIn(row, 'role')] ?? 'member',
      memberCount: numberIn(row, 'members'),
      seq,
      visibleFrom: numberIn(row, 'visible_from'),
      version: numberIn(row, 'revision') + 1 - seq,
      lastMessage: lastMessage(row, user),
      activeAt: numberIn(row, joinedLast ? 'joined_at' : 'active_at'),
      delivered: Math.max(numberIn(row, 'delivered'), own),
      read: Math.max(numberIn(row, 'read'), own),
      unread: unreadAfter(row, user),
      mutedUntil: numberIn(row, 'muted_until'),
      pinned: row['pinned'] === 1,
      archived: row['archived'] === 1,
      place: numberIn(row, 'place'),
      incomplete: isParked(conversationStream(id), receiptsStream(id)),
    };
  };

  return {
    chats({ user, before, limit, archived, pinned }: ChatsQuery): ChatsFound {
      const by = asker(user);
      if (by === undefined) return { chats: [], next: null, incomplete: false };
      const found = list.all(by.no, before, flag(archived), flag(pinned), limit + 1);
      const { page, isLast } = pageOf(found, limit);
      const last = page.at(-1);
      return {
        chats: page.map((row) => chatIn(row, by)),
        next: isLast || last === undefined ? null : numberIn(last, 'active'),
        incomplete: by.incomplete,
      };
    },
    chat(user: UserId, conversation: ConversationId): Chat | undefined {
      const by = asker(user);
      const row = by && one.get(by.no, idBytes(conversation));
      return row && chatIn(row, by);
    },
    totalUnread(user: UserId): TotalUnread {
      const by = asker(user);
      if (by === undefined) return { unread: 0, chats: 0, incomplete: false };
      const counts = unreadCandidates.all(by.no).map((row) => unreadAfter(row, by));
      return {
        unread: counts.reduce((sum, count) => sum + count, 0),
        chats: counts.filter((count) => count > 0).length,
        incomplete: by.incomplete,
      };
    },
    /** Those that changed after a place, or ended there, in the order of their last change; one more than a page. */
    changedAfter(by: Asker, place: number, limit: number): readonly (ChangeAt & { readonly type: 'chat' | 'ended' })[] {
      return changed.all(by.no, place, limit + 1).map((row) => {
        if (numberOrNull(row, 'role') !== null) {
          const chat = chatIn(row, by);
          return { type: 'chat', place: chat.place, chat };
        }
        const conversation = conversationIdIn(row, 'id');
        return { type: 'ended', place: numberIn(row, 'ended_place'), conversationId: conversation };
      });
    },
  };
};
