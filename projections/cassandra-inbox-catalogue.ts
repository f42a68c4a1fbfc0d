import type { Client } from 'cassandra-driver';
import { z } from 'zod';
import { inboxTables, tableIn, tableSets, type TableSet } from './cassandra-inbox-schema.ts';

/** `emptied`: its version is no more, and rows of it may be there still. */
const held = z.object({ set: z.enum(tableSets), version: z.string(), state: z.enum(['used', 'emptied']) });
const catalogue = z.object({
  sets: z.array(held),
  live: z.object({ name: z.string(), since: z.int() }).nullable(),
});
type CatalogueRow = z.infer<typeof catalogue>;

/** Which versions lie in a keyspace, each in a set of tables of its own, and which one is asked. Written by one process. */
export interface InboxCatalogue {
  versions(): Promise<readonly string[]>;
  /** The set of a version that is there. */
  setOf(version: string): Promise<TableSet | undefined>;
  /** Those that are there; changes nothing. */
  names(): Promise<readonly string[]>;
  /** The set of a version, given to it if it has none. */
  setFor(version: string): Promise<TableSet>;
  /** Empties the set of a version and has it free. */
  remove(version: string): Promise<void>;
  live(): Promise<{ readonly name: string; readonly since: number } | undefined>;
  setLive(name: string, since: number): Promise<void>;
}

/** All replicas of a table have to agree that it is empty. */
const truncateMs = 60_000;

const nothing: CatalogueRow = { sets: [], live: null };

export const inboxCatalogue = (client: Client): InboxCatalogue => {
  const read = async (): Promise<CatalogueRow & { readonly stamp: number }> => {
    const { rows } = await client.execute('SELECT value, writetime(value) AS stamp FROM inbox_catalogue WHERE one = 1');
    const [row] = rows;
    if (row === undefined) return { ...nothing, stamp: 0 };
    return { ...catalogue.parse(JSON.parse(String(row['value']))), stamp: Number(row['stamp']) };
  };
  /** No clock is trusted with what comes after what: each write has the next stamp. */
  const change = async (changed: (now: CatalogueRow) => CatalogueRow): Promise<void> => {
    const { stamp, ...now } = await read();
    const insert = 'INSERT INTO inbox_catalogue (one, value) VALUES (1, ?) USING TIMESTAMP ?';
    await client.execute(insert, [JSON.stringify(changed(now)), BigInt(stamp + 1)]);
  };
  const empty = async (set: TableSet): Promise<void> => {
    for (const table of inboxTables) {
      const truncate = `TRUNCATE ${tableIn(set, table)}`;
      await client.execute(truncate, [], { prepare: false, readTimeout: truncateMs });
    }
  };
  const setOf = async (version: string): Promise<TableSet | undefined> =>
    (await read()).sets.find((one) => one.version === version && one.state === 'used')?.set;
  const free = async (set: TableSet): Promise<void> => {
    await empty(set);
    await change((now) => ({ ...now, sets: now.sets.filter((one) => one.set !== set) }));
  };

  return {
    setOf,
    names: async () => (await read()).sets.filter(({ state }) => state === 'used').map(({ version }) => version),
    async versions() {
      // What was cut short goes on.
      for (const { set, state } of (await read()).sets) if (state === 'emptied') await free(set);
      return (await read()).sets.map(({ version }) => version);
    },
    async setFor(version) {
      const given = await setOf(version);
      if (given !== undefined) return given;
      const { sets } = await read();
      const set = tableSets.find((one) => !sets.some((other) => other.set === one));
      if (set === undefined) throw new Error('there is no room for another version of the inbox: drop one');
      // A write of the version that was here before may have come after it was emptied.
      await empty(set);
      await change((now) => ({ ...now, sets: [...now.sets, { set, version, state: 'used' }] }));
      return set;
    },
    async remove(version) {
      const found = (await read()).sets.find((one) => one.version === version);
      if (found === undefined) return;
      const { set } = found;
      await change((now) => ({
        ...now,
        sets: now.sets.map((one) => (one.set === set ? { ...one, state: 'emptied' } : one)),
      }));
      await free(set);
    },
    live: async () => (await read()).live ?? undefined,
    setLive: (name, since) => change((now) => ({ ...now, live: { name, since } })),
  };
};
