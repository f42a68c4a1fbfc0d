import { startStub } from '../tests/eventstoredb-stub/start-stub.ts';
import { eventLogContract } from './event-log.contract.ts';
import { openEventstoredbLogStore } from './eventstoredb-log-store.ts';

eventLogContract('eventstoredb', async () => {
  const stub = await startStub();
  return {
    openStore: () => openEventstoredbLogStore({ url: stub.url, warn: () => undefined }),
    remove: () => stub.stop(),
  };
});
