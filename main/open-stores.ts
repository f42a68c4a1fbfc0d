import { join } from 'node:path';
import type { AccountsStore } from '../command-side/accounts-store.ts';
import type { Clock, RandomBytes } from '../command-side/clock.ts';
import type { SnapshotStore } from '../command-side/snapshot-store.ts';
import type { Warn } from '../command-side/warn.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { openEventLog } from '../event-log/open-event-log.ts';
import { Histogram, type Metric } from '../schemas/metrics.ts';

export interface Stores {
  readonly eventLog: EventLog;
  readonly accounts: AccountsStore;
  readonly snapshots: SnapshotStore;
  readonly metrics: readonly Metric[];
}

export interface StoresDeps {
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly warn: Warn;
  /** The newest of the log that are kept in memory; undefined: as many as are usual. */
  readonly recentEvents?: number;
}

const cachedKeys = 200_000;

/** Everything in SQLite files in one directory, of which this process takes the lock. */
export const openStores = async (
  directory: string,
  { clock, randomBytes, warn, recentEvents }: StoresDeps,
  stack: AsyncDisposableStack,
): Promise<Stores> => {
  const [log, accounts, snapshots] = await Promise.all([
    import('../event-log/sqlite-log-store.ts'),
    import('../command-side/sqlite-accounts-store.ts'),
    import('../command-side/sqlite-snapshot-store.ts'),
  ]);
  const appends = new Histogram('parley_append_fsync_seconds');
  const store = await log.openSqliteLogStore({ directory, onDisk: (milliseconds) => appends.observe(milliseconds) });
  // Until the log has taken the store over.
  const opening = stack.use(new AsyncDisposableStack());
  opening.defer(() => store.close());
  const accountsStore = await accounts.openSqliteAccountsStore({
    path: join(directory, 'accounts.sqlite'),
    whenMissing: store.head() === 0 ? 'create' : 'refuse',
    cachedKeys,
  });
  stack.defer(() => accountsStore.close());
  opening.move();
  const eventLog = await openEventLog({
    store,
    keys: accountsStore,
    clock,
    randomBytes,
    recent: recentEvents === undefined ? undefined : { events: recentEvents },
  });
  stack.defer(() => eventLog.close());
  const snapshotStore = await snapshots.openSqliteSnapshotStore(join(directory, 'snapshots.sqlite'), warn);
  stack.defer(() => snapshotStore.close());
  return { eventLog, accounts: accountsStore, snapshots: snapshotStore, metrics: [appends] };
};
