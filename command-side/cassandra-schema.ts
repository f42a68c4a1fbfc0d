import type { ClusterUrl } from '../schemas/cluster-url.ts';
import {
  CassandraUnusable,
  openCassandra,
  type CassandraConnection,
  type CassandraDeps,
} from './cassandra-connection.ts';

/**
 * The tables of one adapter, made by `parley migrate` and by nothing else. Their names begin with the part's. `main/migrate.ts`
 * says which setting needs them.
 */
export interface CassandraTables {
  /** Its row in the table of versions. */
  readonly part: 'accounts' | 'snapshots' | 'inbox';
  /**
   * The statements that lead from each version to the next, from nothing at first; their number is the version. A step is
   * never changed once it was released. Each statement can be repeated (IF NOT EXISTS), for a migration that was cut
   * begins its step again. Names of tables are without keyspace.
   */
  readonly steps: readonly (readonly string[])[];
}

const versionsTable = 'parley_versions';

/** The version a part has in the keyspace; 0: none of it is there. Undefined: nothing in the keyspace is ours. */
const versionOf = async (
  { client, cluster: { keyspace } }: CassandraConnection,
  part: string,
): Promise<number | undefined> => {
  const tables = await client.execute('SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?', [
    keyspace,
  ]);
  if (!tables.rows.some((row) => row['table_name'] === versionsTable)) return tables.rowLength === 0 ? 0 : undefined;
  const { rows } = await client.execute(`SELECT version FROM ${versionsTable} WHERE part = ?`, [part]);
  return Number(rows[0]?.['version'] ?? 0);
};

const foreign = (keyspace: string): CassandraUnusable =>
  new CassandraUnusable(`keyspace ${keyspace} holds tables of something else: Parley needs one of its own`);

/** Rejects with `CassandraUnusable` unless the tables are there at exactly the version that is asked for. */
export const checkTables = async (connection: CassandraConnection, { part, steps }: CassandraTables): Promise<void> => {
  const { keyspace } = connection.cluster;
  const found = await versionOf(connection, part);
  if (found === undefined) throw foreign(keyspace);
  if (found === steps.length) return;
  const needed = `this Parley needs version ${steps.length}`;
  if (found > steps.length)
    throw new CassandraUnusable(`the ${part} in keyspace ${keyspace} are of version ${found}, and ${needed}`);
  const is = found === 0 ? `keyspace ${keyspace} has no tables for the ${part}` : `they are of version ${found}`;
  throw new CassandraUnusable(`${is}, and ${needed}: run parley migrate`);
};

export interface Migrated {
  readonly part: CassandraTables['part'];
  /** 0: there was nothing. */
  readonly from: number;
  readonly to: number;
}

/**
 * Makes keyspace and tables, or brings them to the version of this Parley; what is there already stays as it is. Not for
 * two at once: Cassandra may make a table twice then.
 */
export const migrateCassandra = async (
  cluster: ClusterUrl,
  deps: CassandraDeps,
  parts: readonly CassandraTables[],
): Promise<readonly Migrated[]> => {
  await using stack = new AsyncDisposableStack();
  const outside = await openCassandra(cluster, deps, 'no keyspace');
  stack.defer(() => outside.close());
  await makeKeyspace(outside);
  const inside = await openCassandra(cluster, deps);
  stack.defer(() => inside.close());
  return await makeTables(inside, parts);
};

const change = async ({ client }: CassandraConnection, statement: string): Promise<void> => {
  await client.execute(statement, [], { prepare: false });
};

/** One that is there already may have been made with other replicas, or by somebody with more rights. */
const makeKeyspace = async (connection: CassandraConnection): Promise<void> => {
  const { keyspace, dataCenter, replicas } = connection.cluster;
  const found = await connection.client.execute(
    'SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?',
    [keyspace],
  );
  if (found.rowLength > 0) return;
  const replication = `{'class': 'NetworkTopologyStrategy', '${dataCenter}': ${replicas}}`;
  await change(connection, `CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH replication = ${replication}`);
};

const makeTables = async (
  connection: CassandraConnection,
  parts: readonly CassandraTables[],
): Promise<readonly Migrated[]> => {
  const { keyspace } = connection.cluster;
  const found: Migrated[] = [];
  for (const { part, steps } of parts) {
    const from = await versionOf(connection, part);
    if (from === undefined) throw foreign(keyspace);
    if (from > steps.length)
      throw new CassandraUnusable(`the ${part} in keyspace ${keyspace} are of version ${from}, newer than this Parley`);
    found.push({ part, from, to: steps.length });
  }
  await change(connection, `CREATE TABLE IF NOT EXISTS ${versionsTable} (part text PRIMARY KEY, version int)`);
  for (const { part, steps } of parts) {
    const from = found.find((one) => one.part === part)?.from ?? 0;
    for (let version = from; version < steps.length; version++) {
      for (const statement of steps[version] ?? []) await change(connection, statement);
      await connection.client.execute(`INSERT INTO ${versionsTable} (part, version) VALUES (?, ?)`, [
        part,
        version + 1,
      ]);
    }
  }
  return found;
};
