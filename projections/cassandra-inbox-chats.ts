import type { ConversationId, UserId } from '../schemas/ids.ts';
import { conversationStream, receiptsStream } from '../schemas/streams.ts';
import { clampLimit, type Chat, type ChatPage, type ChatsOptions, type Message, type TotalUnread } from './inbox.ts';
import { chatCursor, placeInCursor } from './inbox-chat-list.ts';
import {
  askerOf,
  chatRow,
  chatRows,
  erasedAmong,
  inOrder,
  messageRowsIn,
  type Asker,
  type ChatRow,
  type InboxReads,
} from './cassandra-inbox-read.ts';
import { bucketOf, bucketSize, idBytes, kinds, roles } from './inbox-codes.ts';
import { messageState, numberIn, userIdIn, type Preview } from './cassandra-inbox-values.ts';
import type { InboxStore } from './cassandra-inbox-store.ts';

export const isPresentIn = ({ role }: ChatRow): boolean => role >= 0;
const isArchived = ({ archivedAt, seq }: ChatRow): boolean => archivedAt !== null && seq <= archivedAt;
const activity = ({ activePlace, joinedPlace }: ChatRow): number => Math.max(activePlace, joinedPlace);
export const chatPlace = ({ place, marksPlace, memberPlace, settingPlace }: ChatRow): number =>
  Math.max(place, marksPlace, memberPlace, settingPlace);
const readUpTo = ({ read, own, visibleFrom }: ChatRow): number => Math.max(read, own, visibleFrom);

/** The part of a bucket after the mark is counted by rows, the buckets after it by what was sent in them. */
const unreadAfter = async (store: InboxStore, row: ChatRow, { blocked }: Asker): Promise<number> => {
  const { conversation, seq } = row;
  const first = readUpTo(row) + 1;
  if (first > seq) return 0;
  const wholeFrom = Math.ceil(first / bucketSize);
  const rowsTo = Math.min(wholeFrom * bucketSize - 1, seq);
  const range = { low: first, high: rowsTo, order: 'ASC' } as const;
  const some = await messageRowsIn(store, conversation, range, bucketSize, 'sender, state');
  const inPart = some.filter((one) => one['state'] !== messageState.deleted && !blocked.has(userIdIn(one, 'sender')));
  const lastBucket = rowsTo === seq ? -1 : bucketOf(seq);
  const buckets = Array.from({ length: Math.max(lastBucket - wholeFrom + 1, 0) }, (_, index) => wholeFrom + index);
  const inWhole = await inOrder(buckets, async (bucket) => {
    const key = [idBytes(conversation), BigInt(bucket)];
    const sent = await store.rows('sent', 'sender, messages', 'conversation = ? AND bucket = ?', key);
    return sent.reduce((sum, one) => sum + (blocked.has(userIdIn(one, 'sender')) ? 0 : numberIn(one, 'messages')), 0);
  });
  return inWhole.reduce((sum, count) => sum + count, inPart.length);
};

const lastMessage = (
  { last, visibleFrom }: ChatRow,
  { blocked }: Asker,
  erased: ReadonlySet<UserId>,
): Message | null => {
  if (last === undefined || last.seq <= visibleFrom) return null;
  const hidden = blocked.has(last.by);
  const isGone = hidden || erased.has(last.by);
  return {
    seq: last.seq,
    messageId: last.id,
    by: last.by,
    time: last.time,
    version: last.version,
    state: last.deleted ? 'deleted' : hidden ? 'hidden' : 'shown',
    content: isGone ? null : last.content,
    replyTo: hidden || last.deleted ? null : last.replyTo,
    editedAt: hidden || last.deleted ? null : last.changedAt,
    cut: !isGone && last.cut,
  };
};

const sayers = (rows: readonly ChatRow[]): readonly UserId[] =>
  rows.map(({ last }) => last).flatMap((last: Preview | undefined) => (last === undefined ? [] : [last.by]));

/** Chats as they are shown, in the order of their rows. */
export const chatsIn = async (store: InboxStore, rows: readonly ChatRow[], asker: Asker): Promise<readonly Chat[]> => {
  const erased = await erasedAmong(store, sayers(rows));
  return inOrder(rows, async (row) => ({
    conversationId: row.conversation,
    kind: kinds[row.kind] ?? 'group',
    name: row.name,
    peer: row.peer,
    role: roles[row.role] ?? 'member',
    memberCount: row.members,
    seq: row.seq,
    visibleFrom: row.visibleFrom,
    version: row.revision + 1 - row.seq,
    lastMessage: lastMessage(row, asker, erased),
    activeAt: row.joinedPlace > row.activePlace ? row.begunAt : row.activeAt,
    delivered: Math.max(row.delivered, row.own),
    read: Math.max(row.read, row.own),
    unread: await unreadAfter(store, row, asker),
    mutedUntil: row.mutedUntil,
    pinned: row.pinned,
    archived: isArchived(row),
    place: chatPlace(row),
    incomplete: asker.isParked(conversationStream(row.conversation), receiptsStream(row.conversation)),
  }));
};

export const chatQueries = (reads: InboxReads) => {
  const { store } = reads;
  return {
    async chats(user: UserId, { cursor, limit, archived, pinned }: ChatsOptions): Promise<ChatPage> {
      const before = placeInCursor(cursor);
      const most = clampLimit(limit);
      const asker = await askerOf(reads, user);
      const found = (await chatRows(store, user))
        .filter(isPresentIn)
        .filter((row) => activity(row) < before)
        .filter((row) => archived === undefined || isArchived(row) === archived)
        .filter((row) => pinned === undefined || row.pinned === pinned)
        .toSorted((one, other) => activity(other) - activity(one));
      const page = found.slice(0, most);
      const last = page.at(-1);
      return {
        chats: await chatsIn(store, page, asker),
        next: found.length <= most || last === undefined ? null : chatCursor(activity(last)),
        incomplete: asker.incomplete,
      };
    },
    async chat(user: UserId, conversation: ConversationId): Promise<Chat | undefined> {
      const [asker, row] = await Promise.all([askerOf(reads, user), chatRow(store, user, conversation)]);
      return row === undefined ? undefined : (await chatsIn(store, [row], asker))[0];
    },
    async totalUnread(user: UserId): Promise<TotalUnread> {
      const [asker, rows] = await Promise.all([askerOf(reads, user), chatRows(store, user)]);
      const due = rows.filter((row) => isPresentIn(row) && !isArchived(row) && row.seq > readUpTo(row));
      const counts = await inOrder(due, (row) => unreadAfter(store, row, asker));
      return {
        unread: counts.reduce((sum, count) => sum + count, 0),
        chats: counts.filter((count) => count > 0).length,
        incomplete: asker.incomplete,
      };
    },
  };
};
