import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { logStream } from '../schemas/streams.ts';
import { appendContract } from './append.contract.ts';
import { appendAll, newChat, wallClock } from './chats.fixture.ts';
import { checksumOf } from './chain.ts';
import { CopyComparison } from './copy-comparison.ts';
import { copyLogContract, sqliteCopyPlace } from './copy-log.contract.ts';
import { copyLog } from './copy-log.ts';
import { dataKeysInMemory } from './data-keys.fixture.ts';
import { encodeEnvelope, parseEnvelope } from './envelope.ts';
import type { StoredEvent } from './log-store.ts';
import { LogUnderTest, type LogPlace } from './log-under-test.fixture.ts';
import { openEventLog } from './open-event-log.ts';
import type { EventToCopy } from './source-order.ts';
import { openSqliteCopyStore, openSqliteLogStore, openSqliteLogStoreReadOnly } from './sqlite-log-store.ts';

copyLogContract('sqlite', sqliteCopyPlace);

const newDirectory = async (): Promise<string> => {
  const directory = await mkdtemp(join(tmpdir(), 'parley-copy-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
};

const copyDirectory = async (from: string, to: string): Promise<void> => {
  const source = await openSqliteLogStoreReadOnly({ directory: from });
  const target = await openSqliteCopyStore({ directory: to });
  try {
    const finishing = (): Promise<void> => Promise.resolve();
    await copyLog({ source, target, clock: wallClock, randomBytes, copied: () => undefined, finishing });
  } finally {
    await source.close();
    await target.close();
  }
};

describe('a source', () => {
  const copied = async (tamper: (database: DatabaseSync, second: StoredEvent) => void): Promise<void> => {
    const [directory, to] = [await newDirectory(), await newDirectory()];
    const keys = dataKeysInMemory(randomBytes);
    const store = await openSqliteLogStore({ directory });
    const log = await openEventLog({ store, keys, clock: wallClock, randomBytes });
    const chat = newChat(keys);
    await appendAll(log, chat.stream, [chat.message(), chat.message(), chat.message()], -1);
    const [, , second] = await store.readAll(0, 3);
    await log.close();
    if (second === undefined) throw new Error('the log has no event 3');
    const database = new DatabaseSync(join(directory, 'log.sqlite'));
    tamper(database, second);
    database.close();
    await copyDirectory(directory, to);
  };

  test('with a changed event is refused', async () => {
    const changed = copied((database) => database.exec('UPDATE event SET time = time + 1 WHERE position = 3'));
    await expect(changed).rejects.toThrow('event 3 of the log: its checksum is wrong');
  });

  test('with an event that is missing is refused', async () => {
    const missing = copied((database) => database.exec('DELETE FROM event WHERE position = 3'));
    await expect(missing).rejects.toThrow('event 3 of the log: missing');
  });

  test('changed by who makes its checksum fit is refused by its chain', async () => {
    const forged = copied((database, { envelope, revision, link }) => {
      const parsed = parseEnvelope(envelope);
      const other = encodeEnvelope({ ...parsed, time: parsed.time + 1 });
      database
        .prepare('UPDATE event SET time = time + 1, checksum = ? WHERE position = 3')
        .run(checksumOf(other, revision, link, undefined) | 0);
    });
    await expect(forged).rejects.toThrow('event 3 of the log: its link does not continue the chain');
  });
});

test('the pairs of a copy are at most 10,000, and the last one is the end', () => {
  const comparison = new CopyComparison();
  const eventAt = (n: number): EventToCopy => {
    const [envelope, link] = [Buffer.from([n % 256]), Buffer.alloc(0)];
    const copiedFrom = { log: 'AAAAAAAAAAAAAAAAAAAAAA' as never, n };
    return {
      stream: logStream,
      revision: n,
      n,
      envelope,
      link,
      copiedFrom,
      checksum: checksumOf(envelope, n, link, copiedFrom),
    };
  };
  for (let n = 1; n <= 25_000; n++) {
    const event = eventAt(n);
    comparison.expect(event);
    comparison.found(event);
    comparison.note(n, n + 7);
    expect(comparison.pairs().length).toBeLessThanOrEqual(10_000);
    expect(comparison.pairs().at(-1)).toEqual([n, n + 7]);
  }
  expect(comparison.pairs().length).toBeGreaterThan(5_000);
});

const copiedPlace = async (): Promise<LogPlace> => {
  const [from, directory] = [await newDirectory(), await mkdtemp(join(tmpdir(), 'parley-copy-'))];
  const dependencies = { clock: wallClock, randomBytes };
  const store = await openSqliteLogStore({ directory: from });
  await (await openEventLog({ store, keys: dataKeysInMemory(randomBytes), ...dependencies })).close();
  await copyDirectory(from, directory);
  return {
    openStore: () => openSqliteLogStore({ directory }),
    remove: () => rm(directory, { recursive: true }),
  };
};

describe('behind what was copied', () => {
  const its = new LogUnderTest(copiedPlace);
  beforeEach(() => its.begin());
  afterEach(() => its.end());
  appendContract('a copy in sqlite', its);
});
