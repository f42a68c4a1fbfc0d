import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventLogContract } from './event-log.contract.ts';
import { openSqliteLogStore } from './sqlite-log-store.ts';

eventLogContract('sqlite', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'parley-log-'));
  return {
    openStore: () => openSqliteLogStore({ directory }),
    remove: () => rm(directory, { recursive: true }),
  };
});
