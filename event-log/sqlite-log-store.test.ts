import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { eventLogContract } from './event-log.contract.ts';
import { openSqliteLogStore } from './sqlite-log-store.ts';

eventLogContract('sqlite', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'parley-log-'));
  return {
    openStore: () => openSqliteLogStore({ directory }),
    remove: () => rm(directory, { recursive: true }),
  };
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
