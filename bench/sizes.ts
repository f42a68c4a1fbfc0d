import { createSecretKey, randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { DataKey, DataKeys } from '../event-log/data-keys.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { openEventLog } from '../event-log/open-event-log.ts';
import { openSqliteLogStore } from '../event-log/sqlite-log-store.ts';
import { applyUpTo } from '../projections/apply-up-to.ts';
import { inboxKinds } from '../projections/project-inbox.ts';
import { searchedStreams } from '../projections/project-search.ts';
import type { ReadModelWriter } from '../projections/read-model.ts';
import { openSqliteInboxWriter } from '../projections/sqlite-inbox.ts';
import { openSqliteSearchWriter } from '../projections/sqlite-search.ts';
import type { ParleyEvent, NewEvent } from '../schemas/events.ts';
import { commandId, conversationId, eventId, userId, uuidV7, type UserId } from '../schemas/ids.ts';
import { conversationStream, type StreamKind } from '../schemas/streams.ts';
import { temporaryFolder } from '../tests/server-process.ts';
import type { BenchOptions } from './options.ts';
import { textOf200 } from './words.ts';

const conversations = 100;

const newId = (): string => randomBytes(16).toString('base64url');
const newUuid = (time: number): string => uuidV7(time, randomBytes(10));

const key: DataKey = { name: newId(), key: createSecretKey(randomBytes(32)) };
const keys: DataKeys = {
  keyOf: () => Promise.resolve(key),
  keyInMemory: () => key,
  keysNamed: () => Promise.resolve(new Map([[key.name, key]])),
};

const start = Date.now();
const recorded = (
  seq: number,
  make: (id: ReturnType<typeof commandId.parse>, idTimeMax: number) => ParleyEvent,
): NewEvent => {
  const time = start + seq * 20_000;
  const id = commandId.parse(newUuid(time - 40));
  const ids = { causationId: id, correlationId: id };
  return { eventId: eventId.parse(newUuid(time)), time, ...ids, event: make(id, time - 40) };
};
const begin = (people: readonly UserId[]): NewEvent =>
  recorded(0, (id, idTimeMax) => ({
    type: 'conversation-started',
    commandId: id,
    idTimeMax,
    mac: newId(),
    by: people[0] ?? userId.parse(newId()),
    seq: 0,
    kind: 'direct',
    members: people.map((one) => ({ userId: one, role: 'member' })),
  }));
const message = (by: UserId, seq: number): NewEvent =>
  recorded(seq, (id, idTimeMax) => ({
    type: 'message-sent',
    commandId: id,
    idTimeMax,
    mac: newId(),
    by,
    seq,
    replyTo: null,
    content: { type: 'text', text: textOf200() },
  }));

const writeLog = async (log: EventLog, messagesEach: number): Promise<void> => {
  const chats = Array.from({ length: conversations }, () => ({
    stream: conversationStream(conversationId.parse(newId())),
    people: [userId.parse(newId()), userId.parse(newId())],
  }));
  await Promise.all(chats.map(({ stream, people }) => log.append(stream, [begin(people)], -1)));
  for (let seq = 1; seq <= messagesEach; seq++) {
    await Promise.all(
      chats.map(({ stream, people }) =>
        log.append(stream, [message(people[seq % 2] ?? userId.parse(newId()), seq)], seq - 1),
      ),
    );
  }
};

/** Folds the whole log, and waits as long as a server at rest takes to put its files in order. */
const fold = async (eventLog: EventLog, writer: ReadModelWriter, streamKinds: readonly StreamKind[]): Promise<void> => {
  const head = eventLog.locate(eventLog.head());
  if (head.where !== 'known') throw new Error('the log does not know its own head');
  await applyUpTo({ eventLog, writer, streamKinds, signal: new AbortController().signal }, head.place);
  await writer.close();
};

/** Bytes a message by tables and indexes, those of many parts as one. */
const tablesOf = (file: string, messages: number): readonly (readonly [string, number])[] => {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const rows = database.prepare('SELECT name, sum(pgsize) AS bytes FROM dbstat GROUP BY name').all();
    const bytes = new Map<string, number>();
    for (const row of rows) {
      const name = String(row['name']).replace(/_[0-9]+_/, '_');
      bytes.set(name, (bytes.get(name) ?? 0) + Number(row['bytes']) / messages);
    }
    return [...bytes].filter(([, size]) => size >= 0.5).toSorted(([, a], [, b]) => b - a);
  } finally {
    database.close();
  }
};

/** What a message of 200 characters takes on the disk, everything at rest; docs/adr/0002 quotes it. */
export const benchSizes = async ({ quick }: BenchOptions): Promise<object> => {
  const messagesEach = quick ? 1_000 : 3_000;
  const messages = conversations * messagesEach;
  const folder = await temporaryFolder('sizes');
  const files = Object.fromEntries(
    ['log', 'inbox', 'search'].map((name) => [name, join(folder.path, `${name}.sqlite`)]),
  );
  const { inbox = '', search = '' } = files;
  try {
    const log = await openEventLog({
      store: await openSqliteLogStore({ directory: folder.path }),
      keys,
      clock: { now: () => Date.now(), monotonic: () => performance.now() },
      randomBytes,
    });
    await writeLog(log, messagesEach);
    await fold(log, await openSqliteInboxWriter(inbox), inboxKinds);
    await fold(log, await openSqliteSearchWriter(search), searchedStreams);
    await log.close();
    const sizes = Object.entries(files).map(([name, file]) => [name, statSync(file).size / messages] as const);
    for (const [name, file] of Object.entries(files)) {
      console.log(name);
      console.table(
        Object.fromEntries(tablesOf(file, messages).map(([table, size]) => [table, Number(size.toFixed(1))])),
      );
    }
    const together = sizes.reduce((sum, [, size]) => sum + size, 0);
    const result = Object.fromEntries(
      [...sizes, ['together', together] as const].map(([name, size]) => [name, Math.round(size)]),
    );
    console.table([result]);
    return result;
  } finally {
    await folder.stop();
  }
};
