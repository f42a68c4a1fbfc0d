import type { CassandraConnection } from '../command-side/cassandra-connection.ts';
import { inboxTables, tableIn, tableSets, type TableSet } from './cassandra-inbox-schema.ts';

/** The sets of tables of a keyspace of a test's own, each for one case at a time. */
export class TestSets {
  readonly #connection: () => CassandraConnection;
  readonly #free: TableSet[] = [...tableSets];

  constructor(connection: () => CassandraConnection) {
    this.#connection = connection;
  }

  take(): TableSet {
    const set = this.#free.pop();
    if (set === undefined) throw new Error('no set of tables is free');
    return set;
  }

  async giveBack(set: TableSet): Promise<void> {
    const { client } = this.#connection();
    for (const table of inboxTables) {
      await client.execute(`TRUNCATE ${tableIn(set, table)}`, [], { prepare: false, readTimeout: 60_000 });
    }
    this.#free.push(set);
  }
}
