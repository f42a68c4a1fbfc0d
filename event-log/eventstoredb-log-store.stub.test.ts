import { randomUUID } from 'node:crypto';
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
