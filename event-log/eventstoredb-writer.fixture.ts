import { createSecretKey, randomBytes } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import type { UserId } from '../schemas/ids.ts';
import type { StreamName } from '../schemas/streams.ts';
import { messageBy, wallClock } from './chats.fixture.ts';
import type { DataKey, DataKeys } from './data-keys.ts';
import { openEventstoredbLogStore } from './eventstoredb-log-store.ts';
import { openEventLog } from './open-event-log.ts';

/** Another process of the installation: a thread has a client library of its own. Appends 60 times to one stream. */
const given = workerData as { url: string; stream: StreamName; author: UserId; key: Uint8Array; name: string };
const key: DataKey = { name: given.name, key: createSecretKey(given.key) };
const keys: DataKeys = {
  keyOf: () => Promise.resolve(key),
  keyInMemory: () => key,
  keysNamed: () => Promise.resolve(new Map([[key.name, key]])),
};
const store = await openEventstoredbLogStore({ url: given.url, warn: () => undefined });
const log = await openEventLog({ store, keys, clock: wallClock, randomBytes });
let [won, lost] = [0, 0];
let revision = -1;
while (won < 60) {
  const events = [messageBy(given.author, revision + 2), messageBy(given.author, revision + 3)];
  const outcome = await log.append(given.stream, events, revision);
  if (outcome.outcome === 'appended') won++;
  else if (outcome.outcome === 'conflict') lost++;
  else throw new Error(outcome.outcome);
  revision = outcome.outcome === 'appended' ? outcome.revision : outcome.actualRevision;
}
await log.close();
parentPort?.postMessage({ won, lost });
