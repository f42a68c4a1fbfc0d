import type { Client } from 'cassandra-driver';
import { planBatch } from '../projections/cassandra-inbox-batch.ts';
import { nothingKnown } from '../projections/cassandra-inbox-load.ts';
import type { RowWrite } from '../projections/cassandra-inbox-rows.ts';
import { inboxCassandraTables, inboxTables, tableIn, type TableSet } from '../projections/cassandra-inbox-schema.ts';
import { inboxStore } from '../projections/cassandra-inbox-store.ts';
import { openCassandraInboxWriter } from '../projections/cassandra-inbox-writer.ts';
import { mostCopied } from '../projections/cassandra-inbox.ts';
import { mostGathered } from '../projections/gather.ts';
import type { FollowedBatch } from '../projections/read-model.ts';
import { Story } from '../projections/story.fixture.ts';
import { startOwnCassandra } from '../tests/servers/cassandra.ts';
import { ownKeyspace, type OwnKeyspace } from '../tests/servers/cassandra-keyspace.ts';
import { median } from './drive.ts';
import type { BenchOptions } from './options.ts';
import { perSecond } from './per-second.ts';
import { textOf200 } from './words.ts';

const chats = 200;
const [ours, bare]: readonly [TableSet, TableSet] = ['a', 'b'];

/** Chats of two who write 200 characters in turn, as the follow loop gives them. */
const history = (messages: number): FollowedBatch[] => {
  const story = new Story();
  const pairs = Array.from({ length: chats }, () => {
    const [one, other] = [story.user(), story.user()];
    return { one, other, id: story.direct(one, other) };
  });
  for (let sent = 0; sent < messages; sent++) {
    const pair = pairs[sent % chats];
    if (pair === undefined) continue;
    story.send(pair.id, Math.floor(sent / chats) % 2 === 0 ? pair.one : pair.other, textOf200());
  }
  const batches: FollowedBatch[] = [];
  while (story.untold > 0) batches.push(story.batch(mostGathered));
  return batches;
};

const empty = async ({ connection }: OwnKeyspace, set: TableSet): Promise<void> => {
  for (const table of inboxTables)
    await connection.client.execute(`TRUNCATE ${tableIn(set, table)}`, [], { prepare: false });
};

/** The rows of each batch, each once. */
const rowsOf = async (client: Client, batches: readonly FollowedBatch[]): Promise<readonly (readonly RowWrite[])[]> => {
  const [store, known] = [inboxStore(client, bare), nothingKnown()];
  const rows: RowWrite[][] = [];
  for (const batch of batches) {
    rows.push((await planBatch(store, known, batch, new Set(), mostCopied, () => false)).writes.flat());
  }
  return rows;
};

/** The same rows by the same driver and as many at once, and nothing else: no look-ups, no order, no position. */
const writeBare = async (client: Client, batches: readonly (readonly RowWrite[])[]): Promise<void> => {
  const store = inboxStore(client, bare);
  for (const rows of batches) await store.write(rows);
};

/** Rows a second into Cassandra by the inbox's writer, beside a bare loop in alternating runs. */
export const benchInboxRate = async ({ quick }: BenchOptions): Promise<object> => {
  const messages = quick ? 10_000 : 40_000;
  const rounds = quick ? 3 : 5;
  const server = await startOwnCassandra();
  if (server === undefined) throw new Error('Java 17 and Maven are needed');
  try {
    await using keyspace = await ownKeyspace(server.url, [inboxCassandraTables]);
    const { connection } = keyspace;
    const { client } = connection;
    const batches = history(messages);
    const rows = await rowsOf(client, batches);
    const count = rows.reduce((sum, some) => sum + some.length, 0);
    const rates = { writer: [] as number[], bare: [] as number[] };
    for (let round = 0; round <= rounds; round++) {
      await empty(keyspace, ours);
      await empty(keyspace, bare);
      const deps = { connection, set: ours, mostCopied, now: () => performance.now(), warn: () => undefined };
      const writer = await openCassandraInboxWriter(deps);
      const byWriter = await perSecond(count, async () => {
        for (const batch of batches) await writer.apply(batch);
      });
      await writer.close();
      const byBare = await perSecond(count, () => writeBare(client, rows));
      // The first is for the compilers.
      if (round === 0) continue;
      rates.writer.push(byWriter);
      rates.bare.push(byBare);
      console.log(`round ${round}: ${byWriter} rows a second by the writer, ${byBare} by a bare loop`);
    }
    const [writer, loop] = [median(rates.writer), median(rates.bare)];
    const ratio = Math.round((writer / loop) * 100) / 100;
    const messagesPerSecond = Math.round((writer * messages) / count);
    console.log(`${writer} rows and ${messagesPerSecond} messages a second by the writer: ${ratio} of a bare loop`);
    return { rows: count, writer, bare: loop, ratio, messagesPerSecond };
  } finally {
    await server.stop();
  }
};
