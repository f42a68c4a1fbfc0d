import type { AccountsStore } from '../command-side/accounts-store.ts';
import type { Clock, RandomBytes } from '../command-side/clock.ts';
import type { SnapshotStore } from '../command-side/snapshot-store.ts';
import type { Warn } from '../command-side/warn.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { openEventLog } from '../event-log/open-event-log.ts';
import type { LogPlace } from '../schemas/log-place.ts';
import type { Metric } from '../schemas/metrics.ts';
import type { StorePlace } from '../schemas/store-place.ts';
import { openAccounts } from './open-accounts.ts';
import type { CassandraClusters } from './open-cassandra.ts';
import { openLogStore } from './open-log.ts';
import { openSnapshots } from './open-snapshots.ts';
import type { StartWait } from './start-wait.ts';

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
  readonly cassandra: CassandraClusters;
  readonly starting: StartWait;
  /** The newest of the log that are kept in memory; undefined: as many as are usual. */
  readonly recentEvents?: number;
}

export interface StoresPlaces {
  readonly log: LogPlace;
  readonly accounts: StorePlace;
  readonly snapshots: StorePlace;
}

/** What is written to and decided on: the log, the keys it is read with, and folds of its streams. */
export const openStores = async (
  { log, accounts: accountsPlace, snapshots: snapshotsPlace }: StoresPlaces,
  { clock, randomBytes, warn, cassandra, starting, recentEvents }: StoresDeps,
  stack: AsyncDisposableStack,
): Promise<Stores> => {
  const { store, metrics } = await openLogStore(log, { warn, starting });
  // Until the log has taken the store over.
  const opening = stack.use(new AsyncDisposableStack());
  opening.defer(() => store.close());
  const whenMissing = store.head() === 0 ? 'create' : 'refuse';
  const accounts = await openAccounts(accountsPlace, { cassandra, whenMissing, warn }, stack);
  opening.move();
  const eventLog = await openEventLog({
    store,
    keys: accounts,
    clock,
    randomBytes,
    recent: recentEvents === undefined ? undefined : { events: recentEvents },
  });
  stack.defer(() => eventLog.close());
  const snapshots = await openSnapshots(snapshotsPlace, { cassandra, warn }, stack);
  return { eventLog, accounts, snapshots, metrics };
};
