import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { appendAll, newChat, receipt, wallClock } from './chats.fixture.ts';
import { dataKeysInMemory } from './data-keys.fixture.ts';
import { eventLogContract } from './event-log.contract.ts';
import { openEventLog } from './open-event-log.ts';
import { openSqliteLogStore } from './sqlite-log-store.ts';

eventLogContract('sqlite', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'parley-log-'));
  return {
    openStore: () => openSqliteLogStore({ directory }),
    remove: () => rm(directory, { recursive: true }),
  };
});

test('the only writer hears of an event before the append that wrote it answers', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'parley-log-'));
  const store = await openSqliteLogStore({ directory });
  try {
    const log = await openEventLog({ store, keys: dataKeysInMemory(randomBytes), clock: wallClock, randomBytes });
    const { author, receipts } = newChat(dataKeysInMemory(randomBytes));
    const tail = log.tail({ from: 0, streamKinds: ['receipts'], signal: new AbortController().signal });
    await appendAll(log, receipts, [receipt(author, 1)], -1);
    expect(tail.pullNow()?.events).toHaveLength(1);
  } finally {
    await store.close();
    await rm(directory, { recursive: true });
  }
});

test.each([
  ['reads', 0],
  ['writes', 1],
])('the store has failed once the thread that %s is gone', async (does, index) => {
  const directory = await mkdtemp(join(tmpdir(), 'parley-log-'));
  const workers: Worker[] = [];
  const keep = (worker: Worker): void => void workers.push(worker);
  process.on('worker', keep);
  try {
    const store = await openSqliteLogStore({ directory });
    try {
      await workers[index]?.terminate();
      expect((await store.failed).message).toBe(`the thread that ${does} the log ended`);
    } finally {
      await store.close();
    }
  } finally {
    process.off('worker', keep);
    await rm(directory, { recursive: true });
  }
});
