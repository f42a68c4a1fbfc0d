import { join } from 'node:path';
import type { SnapshotStore } from '../command-side/snapshot-store.ts';
import type { Warn } from '../command-side/warn.ts';
import type { StorePlace } from '../schemas/store-place.ts';
import type { CassandraClusters } from './open-cassandra.ts';

/** Snapshots of streams, in files or on the cluster of the inbox, until `stack` is unwound. */
export const openSnapshots = async (
  place: StorePlace,
  { cassandra, warn }: { readonly cassandra: CassandraClusters; readonly warn: Warn },
  stack: AsyncDisposableStack,
): Promise<SnapshotStore> => {
  const open = async (): Promise<SnapshotStore> => {
    switch (place.in) {
      case 'sqlite': {
        const { openSqliteSnapshotStore } = await import('../command-side/sqlite-snapshot-store.ts');
        return openSqliteSnapshotStore(join(place.directory, 'snapshots.sqlite'), warn);
      }
      case 'cassandra': {
        const { openCassandraSnapshotStore, snapshotTables: tables } =
          await import('../command-side/cassandra-snapshot-store.ts');
        return cassandra.on({ setting: 'PARLEY_INBOX', cluster: place.cluster, tables }, async (connection) =>
          openCassandraSnapshotStore(connection, warn),
        );
      }
      default:
        return place satisfies never;
    }
  };
  const store = await open();
  stack.defer(() => store.close());
  return store;
};
