import { startStub } from '../tests/eventstoredb-stub/start-stub.ts';
import { copyLogContract } from './copy-log.contract.ts';
import { openEventstoredbLogStore } from './eventstoredb-log-store.ts';

copyLogContract('eventstoredb', async () => {
  const stub = await startStub();
  const open = () => openEventstoredbLogStore({ url: stub.url, warn: () => undefined });
  return { openCopy: open, openStore: open, remove: () => stub.stop() };
});
