import { promisify } from 'node:util';
import { inflateRaw } from 'node:zlib';
import { afterAll, beforeAll, expect, inject } from 'vitest';
import { ownKeyspace, type OwnKeyspace } from '../tests/servers/cassandra-keyspace.ts';
import { openCassandraSnapshotStore, snapshotTables } from './cassandra-snapshot-store.ts';
import { snapshotStoreContract } from './snapshot-store.contract.ts';

let keyspace: OwnKeyspace;
beforeAll(async () => {
  keyspace = await ownKeyspace(inject('cassandra'), [snapshotTables]);
});
afterAll(() => keyspace[Symbol.asyncDispose]());

snapshotStoreContract('cassandra', async () => {
  const { connection } = keyspace;
  return {
    open: async () => openCassandraSnapshotStore(connection, () => undefined),
    async damage(text) {
      const { rows } = await connection.client.execute('SELECT stream, state FROM snapshots');
      let damaged = 0;
      for (const { stream, state } of rows as unknown as { stream: string; state: Buffer }[]) {
        if (!(await promisify(inflateRaw)(state)).includes(text)) continue;
        state[1] = (state[1] ?? 0) ^ 1;
        await connection.client.execute('UPDATE snapshots SET state = ? WHERE stream = ?', [state, stream]);
        damaged++;
      }
      expect(damaged).toBe(1);
    },
    remove: () => keyspace.empty(),
  };
});
