import type { Client } from 'cassandra-driver';
import { uuidBytes } from '../event-log/bytes.ts';
import type { CommandId, UserId } from '../schemas/ids.ts';
import { timeOfUuid } from '../schemas/uuid-v7.ts';
import { inOrder } from './cassandra-inbox-read.ts';
import type { TableSet } from './cassandra-inbox-schema.ts';
import { readState } from './cassandra-inbox-state.ts';
import type { InboxStore } from './cassandra-inbox-store.ts';
import { idBytes } from './inbox-codes.ts';
import {
  commandIdIn,
  conversationIdIn,
  isTrue,
  messageState,
  numberIn,
  numberOr,
  positiveOrNull,
  previewIn,
  textOrNull,
  userIdIn,
  type Row,
} from './cassandra-inbox-values.ts';

type Line = readonly (string | number | null)[];

const flag = (row: Row, column: string): number => (isTrue(row, column) ? 1 : 0);
const number = (row: Row, column: string): number => numberOr(row, column, 0);
const uuid = (id: CommandId): string => uuidBytes(id).toString('base64url');

const rowsAtOnce = 200;

async function* slices(rows: AsyncIterable<Row>): AsyncGenerator<readonly Row[]> {
  let slice: Row[] = [];
  for await (const row of rows) {
    slice.push(row);
    if (slice.length < rowsAtOnce) continue;
    yield slice;
    slice = [];
  }
  yield slice;
}

/**
 * The lines that any inbox gives for these rows, table by table, in the order of the partitions here. Of copies none comes
 * that is what it was copied from: so one that was lost or is old is a line that no other inbox has.
 */
export async function* dumpInbox(store: InboxStore, client: Client, set: TableSet): AsyncGenerator<string> {
  for await (const line of lines(store)) yield JSON.stringify(line);
  const { parked } = await readState(client, set);
  for (const { stream, n, revision, error } of parked.toSorted((a, b) => (a.stream < b.stream ? -1 : 1))) {
    yield JSON.stringify(['parked', stream, n, revision, error]);
  }
}

async function* lines(store: InboxStore): AsyncGenerator<Line> {
  const erased = new Set<UserId>();
  for await (const row of store.scan('person', '*')) {
    if (isTrue(row, 'erased')) erased.add(userIdIn(row, 'user'));
    yield* personLines(row);
  }
  for await (const row of store.scan('block', '*')) {
    if (isTrue(row, 'blocks')) yield ['block', userIdIn(row, 'user'), userIdIn(row, 'blocked')];
  }
  for await (const row of store.scan('conversation', '*')) yield* conversationLine(row);
  for await (const row of store.scan('member', '*')) yield* memberLines(row);
  for await (const rows of slices(store.scan('chat', '*'))) {
    for (const row of rows) yield* settingLine(row);
    yield* (await inOrder(rows, (row) => differs(store, row, erased))).flat();
  }
  for await (const row of store.scan('sent', '*')) {
    const messages = numberIn(row, 'messages');
    const line: Line = [
      'sent',
      conversationIdIn(row, 'conversation'),
      numberIn(row, 'bucket'),
      userIdIn(row, 'sender'),
    ];
    if (messages !== 0) yield [...line, messages];
  }
  let last: string | undefined;
  for await (const row of store.scan('command', '*')) {
    const key = `${conversationIdIn(row, 'conversation')}/${commandIdIn(row, 'id')}`;
    // The first of its events stands for all.
    if (key !== last && numberIn(row, 'seq') === 0) {
      yield ['command', conversationIdIn(row, 'conversation'), uuid(commandIdIn(row, 'id')), numberIn(row, 'revision')];
    }
    last = key;
  }
  for await (const rows of slices(store.scan('message', '*'))) {
    yield* await inOrder(rows, (row) => messageLine(store, row, erased));
  }
}

function* personLines(row: Row): Generator<Line> {
  const id = userIdIn(row, 'user');
  const [registered, erased] = [flag(row, 'registered'), flag(row, 'erased')];
  const [place, blocksPlace] = [number(row, 'profile_place'), number(row, 'blocks_place')];
  const shown = (column: string): string | null => (erased === 1 ? null : textOrNull(row, column));
  if (registered + erased + place + blocksPlace > 0)
    yield ['user', id, registered, erased, shown('display_name'), shown('status_text'), place, blocksPlace];
  const version = numberOr(row, 'presence_version', undefined);
  if (version === undefined) return;
  const lastSeen = numberOr(row, 'last_seen', null);
  yield ['presence', id, flag(row, 'online'), lastSeen, number(row, 'availability'), shown('presence_status'), version];
}

const described = [
  'kind',
  'name',
  'members',
  'seq',
  'revision',
  'place',
  'described_place',
  'changed_place',
  'active_place',
  'active_at',
] as const;

function* conversationLine(row: Row): Generator<Line> {
  const marksPlace = number(row, 'marks_place');
  if (number(row, 'place') + marksPlace === 0) return;
  const cells = described.map((column) =>
    column === 'name' ? textOrNull(row, column) : numberOr(row, column, column === 'revision' ? -1 : 0),
  );
  yield ['conversation', conversationIdIn(row, 'conversation'), ...cells, marksPlace];
}

const membership = ['since', 'rank', 'visible_from', 'joined_place', 'member_place'] as const;

function* memberLines(row: Row): Generator<Line> {
  const key = [conversationIdIn(row, 'conversation'), userIdIn(row, 'user')];
  const role = numberOr(row, 'role', undefined);
  if (role !== undefined) {
    const cells = membership.map((column) => numberIn(row, column));
    const begun = [userIdIn(row, 'begun_by'), numberIn(row, 'begun_at'), numberIn(row, 'member_version')];
    yield ['member', ...key, role < 0 ? null : role, ...cells, ...begun];
  }
  const marks = ['delivered', 'read', 'own'].flatMap((mark) => {
    const at = number(row, mark);
    return [at, at === 0 ? null : numberIn(row, `${mark}_at`)];
  });
  if (marks.some((at) => at !== null && at > 0)) yield ['mark', ...key, ...marks];
}

function* settingLine(row: Row): Generator<Line> {
  const place = numberOr(row, 'setting_place', undefined);
  if (place === undefined) return;
  const key = [conversationIdIn(row, 'conversation'), userIdIn(row, 'user')];
  yield ['setting', ...key, number(row, 'muted_until'), flag(row, 'pinned'), positiveOrNull(row, 'archived_at'), place];
}

/** What a user's row of a chat has from the conversation's rows, if it is not the same as there. */
const differs = async (store: InboxStore, row: Row, erased: ReadonlySet<UserId>): Promise<readonly Line[]> => {
  const [conversation, user] = [conversationIdIn(row, 'conversation'), userIdIn(row, 'user')];
  const key = idBytes(conversation);
  const [[whole = {}], [member = {}]] = await Promise.all([
    store.rows('conversation', '*', 'conversation = ?', [key]),
    store.rows('member', '*', 'conversation = ? AND user = ?', [key, idBytes(user)]),
  ]);
  const columns = ['role', ...membership, 'own', 'delivered', 'read'];
  const own = columns.filter((column) => numberOr(row, column, 0) !== numberOr(member, column, 0));
  const last = (one: Row): string => {
    const found = previewIn(one);
    return JSON.stringify(
      found !== undefined && erased.has(found.by) ? { ...found, content: null, cut: false } : found,
    );
  };
  const copied = isTrue(row, 'copied')
    ? [...described, 'marks_place'].filter((column) =>
        column === 'name'
          ? textOrNull(row, column) !== textOrNull(whole, column)
          : numberOr(row, column, 0) !== numberOr(whole, column, 0),
      )
    : [];
  const preview = isTrue(row, 'copied') && last(row) !== last(whole) ? ['last'] : [];
  const found = [...own, ...copied, ...preview];
  return found.length === 0 ? [] : [['not as it was copied', conversation, user, ...found]];
};

const messageLine = async (store: InboxStore, row: Row, erased: ReadonlySet<UserId>): Promise<Line> => {
  const [conversation, seq, sender] = [
    conversationIdIn(row, 'conversation'),
    numberIn(row, 'seq'),
    userIdIn(row, 'sender'),
  ];
  const state = numberIn(row, 'state');
  const isShown = !erased.has(sender) && state !== messageState.deleted && state !== messageState.none;
  const content = !isShown ? null : state === messageState.long ? await longText(store, row) : contentIn(row);
  const id = commandIdIn(row, 'id');
  return [
    'message',
    conversation,
    seq,
    sender,
    state === messageState.deleted ? messageState.deleted : isShown && state === messageState.json ? 1 : 0,
    uuid(id),
    numberIn(row, 'time') - timeOfUuid(id),
    positiveOrNull(row, 'reply_to'),
    numberIn(row, 'revision') - seq,
    numberIn(row, 'sent_place'),
    numberOr(row, 'change_version', null),
    numberOr(row, 'change_at', null),
    numberOr(row, 'change_place', null),
    content,
  ];
};

const contentIn = (row: Row): string => textOrNull(row, 'content') ?? '';

const longText = async (store: InboxStore, row: Row): Promise<string> => {
  const key = [idBytes(conversationIdIn(row, 'conversation')), BigInt(numberIn(row, 'seq'))];
  const [long] = await store.rows('long_text', 'content', 'conversation = ? AND seq = ?', key);
  return long === undefined ? '' : contentIn(long);
};
