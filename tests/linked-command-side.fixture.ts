import { once } from 'node:events';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { openEventstoredbLogStore } from '../event-log/eventstoredb-log-store.ts';
import { openEventLog } from '../event-log/open-event-log.ts';
import { manySends, noInbox, TestClock } from './commands-under-test.ts';
import { quick } from './eventstoredb-scene.ts';
import { ServedCommands } from './linked-commands.ts';
import { tokenSecret } from './tokens.ts';
import { commandSide } from '../command-side/command-side.ts';
import { randomPool } from '../command-side/random-pool.ts';
import { openSqliteAccountsStore } from '../command-side/sqlite-accounts-store.ts';
import { openSqliteSnapshotStore } from '../command-side/sqlite-snapshot-store.ts';

/** A command side with a client of the log, caches and snapshots of its own, as in a process of its own; the accounts are shared. */
const { url, directory, name } = workerData as { url: string; directory: string; name: string };
const clock = new TestClock();
const randomBytes = randomPool();
const accounts = await openSqliteAccountsStore({
  path: join(directory, 'accounts.db'),
  whenMissing: 'create',
  cachedKeys: 10_000,
});
const store = await openEventstoredbLogStore({
  url,
  warn: () => undefined,
  times: quick,
  resubscribed: () => undefined,
});
const eventLog = await openEventLog({ store, keys: accounts, clock, randomBytes });
const snapshots = await openSqliteSnapshotStore(join(directory, `${name}.db`), () => undefined);
const side = commandSide({
  eventLog,
  accounts,
  snapshots,
  inbox: noInbox,
  issuer: { name: 'parley', secret: Buffer.from(tokenSecret) },
  clock,
  randomBytes,
  limits: manySends,
  report: () => undefined,
});
const served = await ServedCommands.open(side);
parentPort?.postMessage(served.port);
if (parentPort !== null) await once(parentPort, 'message');
await served.drain();
await side.close();
await eventLog.close();
await snapshots.close();
await accounts.close();
parentPort?.close();
