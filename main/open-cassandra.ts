import type { CassandraConnection } from '../command-side/cassandra-connection.ts';
import type { CassandraTables } from '../command-side/cassandra-schema.ts';
import type { Warn } from '../command-side/warn.ts';
import type { ClusterUrl } from '../schemas/cluster-url.ts';
import type { SettingName } from '../schemas/configuration.ts';
import { ConfigurationUnusable } from './load-configuration.ts';
import type { StartWait } from './start-wait.ts';

export interface CassandraWanted {
  /** Which setting names the cluster: what is wrong with it is said by its name. */
  readonly setting: SettingName;
  readonly cluster: ClusterUrl;
  readonly tables: CassandraTables;
}

export interface CassandraClusters {
  /** Opens a store over its tables; who asks for the same cluster gets the same connection. */
  on<Store>(wanted: CassandraWanted, open: (connection: CassandraConnection) => Promise<Store>): Promise<Store>;
  /** What each is for, with `ok` or why it does not answer. */
  readonly state: () => Readonly<Record<string, string>>;
}

/** The clusters of a process, each with one connection until `stack` is unwound. A cluster that is away is waited for. */
export const cassandraClusters = (warn: Warn, starting: StartWait, stack: AsyncDisposableStack): CassandraClusters => {
  const connections = new Map<string, Promise<CassandraConnection>>();
  const away = new Map<SettingName, () => string | undefined>();

  return {
    async on({ setting, cluster, tables }, open) {
      const [{ openCassandra, onceItAnswers, CassandraUnusable }, { checkTables }] = await Promise.all([
        import('../command-side/cassandra-connection.ts'),
        import('../command-side/cassandra-schema.ts'),
      ]);
      const deps = { warn, waiting: (reason: string) => starting.waiting(setting, reason), signal: starting.signal };
      const connect = async (): Promise<CassandraConnection> => {
        const connection = await openCassandra(cluster, deps);
        stack.defer(() => connection.close());
        return connection;
      };
      const name = JSON.stringify(cluster);
      const connecting = connections.get(name) ?? connect();
      connections.set(name, connecting);
      try {
        const connection = await connecting;
        away.set(setting, connection.away);
        return await onceItAnswers(deps, async () => {
          await checkTables(connection, tables);
          return open(connection);
        });
      } catch (error) {
        if (!(error instanceof CassandraUnusable)) throw error;
        throw new ConfigurationUnusable(`${setting}: ${error.message}`, { cause: error });
      }
    },
    state: () => Object.fromEntries([...away].map(([setting, reason]) => [roleOf(setting), reason() ?? 'ok'])),
  };
};

const roleOf = (setting: SettingName): string => setting.replace('PARLEY_', '').toLowerCase();
