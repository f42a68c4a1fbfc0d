import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startStub } from '../tests/eventstoredb-stub/start-stub.ts';
import { eventLogContract } from './event-log.contract.ts';
import { openEventstoredbLogStore } from './eventstoredb-log-store.ts';
import type { LogPlace } from './log-under-test.fixture.ts';

const warn = (): void => undefined;
const real = process.env['PARLEY_TEST_EVENTSTOREDB_URL'];

/** A real server is not emptied for each case: there a log of its own has its streams behind a prefix. */
const placeIn = (url: string, prefix: string, remove: () => Promise<void>): LogPlace => ({
  openStore: () => openEventstoredbLogStore({ url, prefix, warn }),
  remove,
});

eventLogContract('eventstoredb', async () => {
  if (real !== undefined && real !== '') return placeIn(real, `${randomUUID()}.`, () => Promise.resolve());
  const stub = await startStub();
  return placeIn(stub.url, '', () => stub.stop());
});

/** Of a process each, for one appends to a log by one connection. */
const beginLog = `
  import { randomBytes } from 'node:crypto';
  import { wallClock } from '${import.meta.dirname}/chats.fixture.ts';
  import { dataKeysInMemory } from '${import.meta.dirname}/data-keys.fixture.ts';
  import { openEventstoredbLogStore } from '${import.meta.dirname}/eventstoredb-log-store.ts';
  import { openEventLog } from '${import.meta.dirname}/open-event-log.ts';
  const store = await openEventstoredbLogStore({ url: process.argv[1], warn: () => undefined });
  const log = await openEventLog({ store, keys: dataKeysInMemory(randomBytes), clock: wallClock, randomBytes });
  console.log(log.head().log);
  await log.close();
`;

test('processes that begin a log in the same moment all go on with the one that was begun first', async () => {
  for (let round = 0; round < 3; round++) {
    await using stack = new AsyncDisposableStack();
    const stub = await startStub();
    stack.defer(() => stub.stop());
    const begin = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', beginLog, stub.url]);
    const said = await Promise.all(Array.from({ length: 4 }, begin));
    expect(new Set(said.map(({ stdout }) => stdout)).size).toBe(1);
  }
});
