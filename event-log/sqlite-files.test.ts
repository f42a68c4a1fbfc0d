import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { StreamName } from '../schemas/streams.ts';
import { appendAll, newChat, newEvent, receipt, wallClock } from './chats.fixture.ts';
import { dataKeysInMemory, type DataKeysInMemory } from './data-keys.fixture.ts';
import { LogDamaged, LogUnusable, type EventLog } from './event-log.ts';
import type { LogStore, StoredEvent } from './log-store.ts';
import { openEventLog } from './open-event-log.ts';
import { openLogReader } from './sqlite-log-reader.ts';
import { openSqliteLogStore, openSqliteLogStoreReadOnly } from './sqlite-log-store.ts';
import { refuseOldSqlite } from './sqlite-schema.ts';
import { verifyLog, type Finding, type Verified } from './verify-log.ts';

let directory: string;
let keys: DataKeysInMemory;
const opened: { close(): Promise<void> }[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'parley-log-'));
  keys = dataKeysInMemory(randomBytes);
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
  await rm(directory, { recursive: true });
});

const openStore = async (in_: string = directory): Promise<LogStore> => {
  const store = await openSqliteLogStore({ directory: in_ });
  opened.push(store);
  return store;
};
const openLog = async (): Promise<EventLog> =>
  openEventLog({ store: await openStore(), keys, clock: wallClock, randomBytes });

/** A log with chained and unchained streams, short and long texts. */
const fill = async (log: EventLog): Promise<readonly StreamName[]> => {
  const chats = Array.from({ length: 12 }, () => newChat(keys));
  for (const [index, chat] of chats.entries()) {
    for (let revision = -1; revision < 14; revision += 3) {
      const events = Array.from({ length: 3 }, () => chat.message('word '.repeat(index * 40)));
      await appendAll(log, chat.stream, events, revision);
    }
    await appendAll(log, chat.receipts, [receipt(chat.author, 15)], -1);
    await appendAll(log, `user-${chat.author}`, [newEvent({ type: 'user-disabled', disabled: true })], -1);
  }
  return chats.flatMap((chat): StreamName[] => [chat.stream, chat.receipts, `user-${chat.author}`]);
};

const allIn = async (store: LogStore): Promise<StoredEvent[]> => {
  const events: StoredEvent[] = [];
  while (events.length < store.head()) events.push(...(await store.readAll(events.length, 50)));
  return events;
};

const verified = async (store: LogStore): Promise<{ readonly findings: Finding[]; readonly counts: Verified }> => {
  const findings: Finding[] = [];
  const walk = verifyLog(store);
  for (;;) {
    const next = await walk.next();
    if (next.done) return { findings, counts: next.value };
    findings.push(next.value);
  }
};

describe('the lock', () => {
  test('D9: a second opening is refused and names the owner and the lock; the first goes on', async () => {
    const log = await openLog();
    const refused = openSqliteLogStore({ directory });
    await expect(refused).rejects.toThrow(LogUnusable);
    await expect(refused).rejects.toThrow(new RegExp(`process ${process.pid}, which holds .*log\\.lock`));
    const chat = newChat(keys);
    await appendAll(log, chat.stream, [chat.message()], -1);
    await log.close();
    await openLog();
  });

  test('is given back by an opening that failed', async () => {
    await writeFile(join(directory, 'log.sqlite'), 'not a database at all, but long enough to look like a file');
    await expect(openStore()).rejects.toThrow('is not a SQLite database');
    await rm(join(directory, 'log.sqlite'));
    await openLog();
  });
});

describe('a file that is not a log of ours is refused in one line', () => {
  const refusal = async (): Promise<string> => {
    const error: unknown = await openStore().catch((thrown: unknown) => thrown);
    if (!(error instanceof LogUnusable)) throw new Error('it was opened', { cause: error });
    expect(error.message).not.toContain('\n');
    return error.message;
  };
  const inFile = (statements: string): void => {
    const database = new DatabaseSync(join(directory, 'log.sqlite'));
    database.exec(statements);
    database.close();
  };

  test('of another program', async () => {
    inFile('CREATE TABLE recipes (title TEXT)');
    expect(await refusal()).toContain('belongs to another program');
    inFile('PRAGMA application_id = 77');
    expect(await refusal()).toContain('belongs to another program');
  });

  test('of a later format', async () => {
    await (await openStore()).close();
    inFile('PRAGMA user_version = 3');
    expect(await refusal()).toContain('has format 3; this Parley reads formats up to 2');
  });

  test('that is damaged', async () => {
    const log = await openLog();
    await fill(log);
    await log.close();
    const file = join(directory, 'log.sqlite');
    await truncate(file, 5_000);
    expect(await refusal()).toMatch(/is damaged|cannot be opened/);
  });

  test('that cannot be made', async () => {
    await writeFile(join(directory, 'a-file'), '');
    await expect(openStore(join(directory, 'a-file', 'data'))).rejects.toThrow(LogUnusable);
  });

  test('opened by a SQLite with the WAL-reset bug', () => {
    for (const version of ['3.51.2', '3.50.9', '2.99.99', undefined]) {
      expect(() => refuseOldSqlite(version)).toThrow(/is too old: 3\.51\.3 is needed/);
    }
    for (const version of ['3.51.3', '3.51.10', '3.53.4', '4.0.0']) refuseOldSqlite(version);
  });
});

describe('read-only', () => {
  test('it is read beside the process that writes, and takes no append', async () => {
    const log = await openLog();
    const [stream = 'parley-log'] = await fill(log);
    const beside = await openSqliteLogStoreReadOnly({ directory });
    opened.push(beside);
    expect(beside.head()).toBe(log.head().n);
    expect(await allIn(beside)).toHaveLength(log.head().n);
    expect(await beside.readStream(stream, 'end', 'backwards', 1)).toMatchObject([{ revision: 14 }]);
    const [event] = await beside.readAll(0, 1);
    const request = { stream, expectedRevision: 14, priority: 0 as const, events: event ? [event] : [] };
    expect(await beside.append(request)).toEqual({ outcome: 'refused', why: 'closed' });
  });

  test('a missing log is refused', async () => {
    await expect(openSqliteLogStoreReadOnly({ directory })).rejects.toThrow('is not there');
  });
});

describe('verify', () => {
  test('finds nothing in a sound log', async () => {
    const log = await openLog();
    await fill(log);
    await log.close();
    const { findings, counts } = await verified(await openStore());
    expect(findings).toEqual([]);
    expect(counts).toEqual({ events: 12 * 17 + 1, streams: 12 * 3 + 1 });
  });

  const damages: readonly [string, string, number, RegExp][] = [
    ['a changed payload', 'UPDATE event SET data = randomblob(60) WHERE position = 20', 20, /checksum/],
    ['a moved revision', 'UPDATE event SET revision = 900 WHERE position = 20', 20, /checksum/],
    ['a missing event', 'DELETE FROM event WHERE position = 20', 20, /missing/],
    ['a swapped link', 'UPDATE event SET link = zeroblob(32) WHERE position = 20', 20, /checksum/],
    [
      'a renamed stream',
      "UPDATE stream SET name = 'conversation-x' WHERE no = (SELECT stream FROM event WHERE position = 2)",
      2,
      /checksum/,
    ],
  ];
  test.each(damages)('names the position of %s and goes on', async (_, statement, position, what) => {
    const log = await openLog();
    await fill(log);
    await log.close();
    const database = new DatabaseSync(join(directory, 'log.sqlite'));
    database.exec(statement);
    database.close();
    const { findings, counts } = await verified(await openStore());
    expect(findings[0]).toMatchObject({ position, what: expect.stringMatching(what) as unknown });
    expect(counts.events).toBeGreaterThan(150);
  });

  test('finds a seq that jumps and a reference ahead', async () => {
    const log = await openLog();
    const chat = newChat(keys);
    const [one, , three, four] = [chat.message(), chat.message(), chat.message(), chat.message()];
    if (four.event.type !== 'message-sent') throw new Error('not a message');
    const ahead = { ...four, event: { ...four.event, replyTo: 9 } };
    await appendAll(log, chat.stream, [one, three, ahead], -1);
    await log.close();
    const { findings } = await verified(await openStore());
    expect(findings.map(({ what }) => what)).toEqual([
      'its seq is 3 instead of 2',
      'it refers to seq 9, and the last was 3',
    ]);
  });
});

describe('D6: one flipped byte', () => {
  const flips = process.env['SOAK'] === '1' ? 2_000 : 200;

  /** The store without its threads: two hundred times two of them would take minutes. */
  const inThisThread = (file: string): LogStore => {
    const reader = openLogReader(file);
    const head = reader.last();
    return {
      soleWriter: false,
      away: () => undefined,
      failed: new Promise(() => undefined),
      append: () => Promise.resolve({ outcome: 'refused', why: 'closed' }),
      onCommitted: () => undefined,
      head: () => head,
      readAll: async (after, limit) => reader.log(after, limit),
      readStream: async (...page) => reader.stream(...page),
      close: async () => reader.close(),
    };
  };

  const plain = ({ stream, revision, n, checksum, envelope, link }: StoredEvent): unknown[] => [
    stream,
    revision,
    n,
    checksum,
    Buffer.from(envelope).toString('hex'),
    Buffer.from(link).toString('hex'),
  ];

  /** Whether everything can still be read, or how it is refused. Throws if a wrong event is given out. */
  const readEverything = async (
    file: string,
    truth: readonly StoredEvent[],
  ): Promise<'right' | 'shorter' | 'refused'> => {
    let store: LogStore | undefined;
    try {
      store = inThisThread(file);
      const events = await allIn(store);
      expect(events.map(plain)).toEqual(truth.slice(0, events.length).map(plain));
      for (const stream of new Set(truth.map((event) => event.stream))) {
        const expected = truth.filter((event) => event.stream === stream);
        const read = await store.readStream(stream, 0, 'forwards', 100);
        expect(read.map(plain)).toEqual(expected.slice(0, read.length).map(plain));
        // The index may have lost a stream's last entries without a trace in what is left of it; `verify` compares.
        if (events.length === truth.length && read.length < expected.length) {
          expect((await verified(store)).findings).toContainEqual(expect.objectContaining({ stream }));
          return 'refused';
        }
      }
      return events.length < truth.length ? 'shorter' : 'right';
    } catch (error) {
      if (error instanceof LogDamaged || error instanceof LogUnusable) return 'refused';
      throw error;
    } finally {
      await store?.close();
    }
  };

  const flipBytesOf = async (file: string, others: readonly string[]): Promise<ReadonlySet<string>> => {
    const whole = inThisThread(join(directory, 'log.sqlite'));
    opened.push(whole);
    const truth = await allIn(whole);
    const bytes = await readFile(join(directory, file));
    const copy = join(directory, 'copy');
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (offset, mask) => {
        await rm(copy, { recursive: true, force: true });
        await mkdir(copy);
        for (const other of others) await copyFile(join(directory, other), join(copy, other));
        const flipped = Buffer.from(bytes);
        flipped.writeUInt8(flipped.readUInt8(offset) ^ mask, offset);
        await writeFile(join(copy, file), flipped);
        seen.add(await readEverything(join(copy, 'log.sqlite'), truth));
      }),
      { numRuns: flips },
    );
    return seen;
  };

  test('in the database is found or harmless; never is a wrong payload given out', async () => {
    const log = await openLog();
    await fill(log);
    await log.close();
    expect(await flipBytesOf('log.sqlite', [])).toContain('refused');
  });

  test('in the WAL is found, or ends the log before it', async () => {
    const log = await openLog();
    await fill(log);
    expect(await flipBytesOf('log.sqlite-wal', ['log.sqlite'])).toContain('shorter');
  });
});
