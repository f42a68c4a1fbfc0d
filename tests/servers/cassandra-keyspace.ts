import { randomBytes } from 'node:crypto';
import {
  openCassandra,
  type CassandraConnection,
  type CassandraDeps,
} from '../../command-side/cassandra-connection.ts';
import { migrateCassandra, type CassandraTables } from '../../command-side/cassandra-schema.ts';
import { clusterUrl } from '../../schemas/cluster-url.ts';

const { signal } = new AbortController();
/** For a test whose Cassandra is there: it waits for none, and nobody reads what it warns of. */
export const cassandraDeps: CassandraDeps = { warn: () => undefined, waiting: () => undefined, signal };

/** The URL of a keyspace on the server that `server` names (`inject('cassandra')`, `startOwnCassandra`). */
export const urlOfKeyspace = (server: string, keyspace: string): string => server.replace('?', `/${keyspace}?`);

export const newKeyspace = (): string => `test_${randomBytes(8).toString('hex')}`;

export interface OwnKeyspace extends AsyncDisposable {
  readonly url: string;
  /** In the keyspace, for what a test looks at or changes behind the back of an adapter. */
  readonly connection: CassandraConnection;
  /** Leaves the tables, and no row in them. */
  empty(): Promise<void>;
}

/** A keyspace of a test's own with these tables, made by the migration; dropped in the end. */
export const ownKeyspace = async (server: string, parts: readonly CassandraTables[]): Promise<OwnKeyspace> => {
  const keyspace = newKeyspace();
  const url = urlOfKeyspace(server, keyspace);
  const cluster = clusterUrl.parse(url);
  await migrateCassandra(cluster, cassandraDeps, parts);
  const connection = await openCassandra(cluster, cassandraDeps);
  const { client } = connection;
  return {
    url,
    connection,
    async empty() {
      const { rows } = await client.execute('SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?', [
        keyspace,
      ]);
      const names = rows.map((row) => String(row['table_name'])).filter((name) => name !== 'parley_versions');
      for (const name of names) await client.execute(`TRUNCATE ${name}`, [], { prepare: false });
    },
    async [Symbol.asyncDispose]() {
      // Of many tables it takes longer than any answer to a question.
      await client.execute(`DROP KEYSPACE ${keyspace}`, [], { prepare: false, readTimeout: 60_000 });
      await connection.close();
    },
  };
};
