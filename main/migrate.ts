import type { CassandraTables, Migrated } from '../command-side/cassandra-schema.ts';
import type { ClusterUrl } from '../schemas/cluster-url.ts';
import type { Configuration, SettingName } from '../schemas/configuration.ts';
import { ConfigurationUnusable } from './load-configuration.ts';
import type { StartWait } from './start-wait.ts';

export interface MigratedCluster {
  readonly setting: SettingName;
  readonly keyspace: string;
  readonly parts: readonly Migrated[];
}

interface Wanted {
  readonly setting: SettingName;
  readonly cluster: ClusterUrl;
  readonly tables: readonly CassandraTables[];
}

/** Which setting needs which tables, each adapter's from beside it. */
const wanted = async ({ accounts, inbox, snapshots }: Configuration): Promise<readonly Wanted[]> => {
  const found: Wanted[] = [];
  if (accounts.in === 'cassandra') {
    const { accountsTables } = await import('../command-side/cassandra-accounts-tables.ts');
    found.push({ setting: 'PARLEY_ACCOUNTS', cluster: accounts.cluster, tables: [accountsTables] });
  }
  if (snapshots.in === 'cassandra') {
    const { snapshotTables } = await import('../command-side/cassandra-snapshot-store.ts');
    found.push({ setting: 'PARLEY_INBOX', cluster: snapshots.cluster, tables: [snapshotTables] });
  }
  if (inbox.in === 'cassandra') {
    const { inboxCassandraTables } = await import('../projections/cassandra-inbox-schema.ts');
    found.push({ setting: 'PARLEY_INBOX', cluster: inbox.cluster, tables: [inboxCassandraTables] });
  }
  return found;
};

/** Makes keyspaces and tables on each cluster that is set, or brings them to the version of this program. */
export const migrate = async (
  configuration: Configuration,
  starting: StartWait,
): Promise<readonly MigratedCluster[]> => {
  const migrated: MigratedCluster[] = [];
  for (const { setting, cluster, tables } of await wanted(configuration)) {
    const [{ CassandraUnusable }, { migrateCassandra }] = await Promise.all([
      import('../command-side/cassandra-connection.ts'),
      import('../command-side/cassandra-schema.ts'),
    ]);
    const waiting = (reason: string): void => starting.waiting(setting, reason);
    try {
      const deps = { warn: () => undefined, waiting, signal: starting.signal };
      migrated.push({ setting, keyspace: cluster.keyspace, parts: await migrateCassandra(cluster, deps, tables) });
    } catch (error) {
      if (!(error instanceof CassandraUnusable)) throw error;
      throw new ConfigurationUnusable(`${setting}: ${error.message}`, { cause: error });
    }
  }
  return migrated;
};
