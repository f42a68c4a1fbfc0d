import type { CommandId, ConversationId, UserId } from '../schemas/ids.ts';
import { userStream, type StreamName } from '../schemas/streams.ts';
import type { Message } from './inbox.ts';
import { inParallel, type InboxStore } from './cassandra-inbox-store.ts';
import type { InboxState } from './cassandra-inbox-state.ts';
import { uuidBytes } from '../event-log/bytes.ts';
import { bucketOf, idBytes } from './inbox-codes.ts';
import {
  commandIdIn,
  contentOf,
  conversationIdIn,
  dayOf,
  isTrue,
  messageState,
  numberIn,
  numberOr,
  positiveOrNull,
  previewIn,
  textOrNull,
  userIdIn,
  type Preview,
  type Row,
} from './cassandra-inbox-values.ts';

/** What every question is asked with. */
export interface InboxReads {
  readonly store: InboxStore;
  /** How far the rows are; read before them, for they may be further. */
  readonly state: () => Promise<InboxState>;
}

/** Who asks, whose messages are hidden from the user now, and how far the rows are. */
export interface Asker {
  readonly user: UserId;
  readonly blocked: ReadonlySet<UserId>;
  readonly incomplete: boolean;
  readonly isParked: (...streams: StreamName[]) => boolean;
  readonly applied: number;
}

const atOnce = 32;

export const askerOf = async ({ store, state }: InboxReads, user: UserId): Promise<Asker> => {
  const [{ parked, position }, blocks] = await Promise.all([
    state(),
    store.rows('block', 'blocked, blocks', 'user = ?', [idBytes(user)]),
  ]);
  const streams = new Set(parked.map(({ stream }) => stream));
  const isParked = (...some: StreamName[]): boolean => some.some((stream) => streams.has(stream));
  return {
    user,
    blocked: new Set(blocks.filter((row) => isTrue(row, 'blocks')).map((row) => userIdIn(row, 'blocked'))),
    incomplete: isParked(userStream(user)),
    isParked,
    applied: position?.applied.place ?? 0,
  };
};

/** A conversation as its row says it, in a copy or not. */
interface ChatOf {
  readonly kind: number;
  readonly name: string | null;
  readonly members: number;
  readonly seq: number;
  readonly revision: number;
  readonly place: number;
  readonly describedPlace: number;
  readonly changedPlace: number;
  readonly activePlace: number;
  readonly activeAt: number;
  readonly last: Preview | undefined;
  readonly marksPlace: number;
}

/** A conversation as one who is or was a member has it. */
export interface ChatRow extends ChatOf {
  readonly conversation: ConversationId;
  /** -1: no member any more; then the rest is not kept up. */
  readonly role: number;
  readonly visibleFrom: number;
  readonly joinedPlace: number;
  readonly memberPlace: number;
  readonly begunBy: UserId;
  readonly begunAt: number;
  readonly memberVersion: number;
  readonly peer: UserId | null;
  readonly own: number;
  readonly delivered: number;
  readonly read: number;
  readonly mutedUntil: number;
  readonly pinned: boolean;
  readonly archivedAt: number | null;
  readonly settingPlace: number;
}

const chatOfRow = (row: Row): ChatOf => ({
  kind: numberOr(row, 'kind', 0),
  name: textOrNull(row, 'name'),
  members: numberOr(row, 'members', 0),
  seq: numberOr(row, 'seq', 0),
  revision: numberOr(row, 'revision', -1),
  place: numberOr(row, 'place', 0),
  describedPlace: numberOr(row, 'described_place', 0),
  changedPlace: numberOr(row, 'changed_place', 0),
  activePlace: numberOr(row, 'active_place', 0),
  activeAt: numberOr(row, 'active_at', 0),
  last: previewIn(row),
  marksPlace: numberOr(row, 'marks_place', 0),
});

const chatRowOf = (row: Row, chat: ChatOf): ChatRow => ({
  ...chat,
  conversation: conversationIdIn(row, 'conversation'),
  role: numberIn(row, 'role'),
  visibleFrom: numberIn(row, 'visible_from'),
  joinedPlace: numberIn(row, 'joined_place'),
  memberPlace: numberIn(row, 'member_place'),
  begunBy: userIdIn(row, 'begun_by'),
  begunAt: numberIn(row, 'begun_at'),
  memberVersion: numberIn(row, 'member_version'),
  peer: row['peer'] === null ? null : userIdIn(row, 'peer'),
  own: numberOr(row, 'own', 0),
  delivered: numberOr(row, 'delivered', 0),
  read: numberOr(row, 'read', 0),
  mutedUntil: numberOr(row, 'muted_until', 0),
  pinned: isTrue(row, 'pinned'),
  archivedAt: positiveOrNull(row, 'archived_at'),
  settingPlace: numberOr(row, 'setting_place', 0),
});

const isMembership = (row: Row): boolean => row['role'] !== null;

const joined = async (store: InboxStore, row: Row): Promise<ChatRow> => {
  if (isTrue(row, 'copied') || numberIn(row, 'role') < 0) return chatRowOf(row, chatOfRow(row));
  const key = [idBytes(conversationIdIn(row, 'conversation'))];
  const [conversation] = await store.rows('conversation', '*', 'conversation = ?', key);
  return chatRowOf(row, chatOfRow(conversation ?? row));
};

/** All chats that are or were the user's. */
export const chatRows = async (store: InboxStore, user: UserId): Promise<readonly ChatRow[]> => {
  const rows = (await store.rows('chat', '*', 'user = ?', [idBytes(user)])).filter(isMembership);
  return inOrder(rows, (row) => joined(store, row));
};

/** Undefined: not a member now, or nothing there. */
export const chatRow = async (
  store: InboxStore,
  user: UserId,
  conversation: ConversationId,
): Promise<ChatRow | undefined> => {
  const key = [idBytes(user), idBytes(conversation)];
  const [row] = await store.rows('chat', '*', 'user = ? AND conversation = ?', key);
  return row !== undefined && isMembership(row) && numberIn(row, 'role') >= 0 ? joined(store, row) : undefined;
};

/** The answers in the order of the questions, not too many of which are asked at once. */
export const inOrder = async <T, Answer>(
  all: readonly T[],
  ask: (one: T) => Promise<Answer>,
): Promise<readonly Answer[]> => {
  const answers: Answer[] = [];
  await inParallel([...all.entries()], atOnce, async ([index, one]) => {
    answers[index] = await ask(one);
  });
  return answers;
};

/** Whose texts nobody is shown any more. */
export const erasedAmong = async (store: InboxStore, users: Iterable<UserId>): Promise<ReadonlySet<UserId>> => {
  const erased = new Set<UserId>();
  await inParallel([...new Set(users)], atOnce, async (user) => {
    const [row] = await store.rows('person', 'erased', 'user = ?', [idBytes(user)]);
    if (row !== undefined && isTrue(row, 'erased')) erased.add(user);
  });
  return erased;
};

/** Rows of messages from `low` to `high`, from the end that is asked for, at most `limit`. */
export const messageRowsIn = async (
  store: InboxStore,
  conversation: ConversationId,
  { low, high, order }: { readonly low: number; readonly high: number; readonly order: 'ASC' | 'DESC' },
  limit: number,
  columns = '*',
): Promise<readonly Row[]> => {
  const found: Row[] = [];
  if (limit === 0 || low > high) return found;
  const [first, last] = [bucketOf(low), bucketOf(high)];
  for (let step = 0; step <= last - first && found.length < limit; step++) {
    const bucket = order === 'ASC' ? first + step : last - step;
    const rows = await store.rows(
      'message',
      columns,
      `conversation = ? AND bucket = ? AND seq >= ? AND seq <= ? ORDER BY seq ${order} LIMIT ?`,
      [idBytes(conversation), BigInt(bucket), BigInt(low), BigInt(high), Math.min(limit - found.length, 100_000)],
    );
    found.push(...rows);
  }
  return found;
};

export const messageRowAt = async (
  store: InboxStore,
  conversation: ConversationId,
  seq: number,
): Promise<Row | undefined> => {
  if (!Number.isSafeInteger(seq)) return undefined;
  const [row] = await messageRowsIn(store, conversation, { low: seq, high: seq, order: 'ASC' }, 1);
  return row;
};

/** The seq of the message that was sent with an id. */
export const seqOfSend = async (
  store: InboxStore,
  conversation: ConversationId,
  id: CommandId,
): Promise<number | undefined> => {
  const [row] = await store.rows('command', 'seq', 'conversation = ? AND day = ? AND id = ? LIMIT 1', [
    idBytes(conversation),
    dayOf(id),
    uuidBytes(id),
  ]);
  const seq = row && numberIn(row, 'seq');
  return seq === 0 ? undefined : seq;
};

/** The row with its text, if that lies in a table of its own. */
export const withText = async (store: InboxStore, conversation: ConversationId, row: Row): Promise<Row> => {
  if (row['state'] !== messageState.long) return row;
  const key = [idBytes(conversation), BigInt(numberIn(row, 'seq'))];
  const [long] = await store.rows('long_text', 'content', 'conversation = ? AND seq = ?', key);
  const content: unknown = long?.['content'] ?? '';
  return { ...row, content };
};

/** Of a row whose text is in it. */
export const messageIn = (row: Row, { blocked }: Pick<Asker, 'blocked'>, erased: ReadonlySet<UserId>): Message => {
  const by = userIdIn(row, 'sender');
  const state = numberIn(row, 'state');
  const deleted = state === messageState.deleted;
  const hidden = blocked.has(by);
  const content = contentOf({ state, content: textOrNull(row, 'content') ?? '' });
  return {
    seq: numberIn(row, 'seq'),
    messageId: commandIdIn(row, 'id'),
    by,
    time: numberIn(row, 'time'),
    version: numberOr(row, 'change_version', 0),
    state: deleted ? 'deleted' : hidden ? 'hidden' : 'shown',
    content: hidden || erased.has(by) ? null : content,
    replyTo: hidden || deleted ? null : positiveOrNull(row, 'reply_to'),
    editedAt: hidden || deleted ? null : numberOr(row, 'change_at', null),
    cut: false,
  };
};
