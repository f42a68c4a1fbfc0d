import { randomBytes } from 'node:crypto';
import type { Client } from '@elastic/elasticsearch';
import { connectElasticsearch } from '../projections/elasticsearch-connection.ts';
import { editedOfEarlier, projectBatch, writesOf } from '../projections/elasticsearch-search-fold.ts';
import { aliasNamed, openIndex, removeIndex, type IndexAlias } from '../projections/elasticsearch-search-index.ts';
import { openSearchIndexWriter } from '../projections/elasticsearch-search-writer.ts';
import { mostGathered } from '../projections/gather.ts';
import type { FollowedBatch } from '../projections/read-model.ts';
import { batchOf, searchHistory, someConversation, someUser, textOf } from '../tests/search-history.ts';
import { startOwnElasticsearch } from '../tests/servers/elasticsearch.ts';
import { median } from './drive.ts';
import type { BenchOptions } from './options.ts';
import { perSecond } from './per-second.ts';
import { textOf200 } from './words.ts';

const chats = 200;
const bulkDocuments = 1_000;

/** Chats of two who write 200 characters in turn, as the follow loop gives them. */
const history = (messages: number): FollowedBatch[] => {
  const told = searchHistory();
  for (let chat = 0; chat < chats; chat++)
    told.start(someConversation(chat), someUser(2 * chat), someUser(2 * chat + 1));
  for (let sent = 0; sent < messages; sent++) {
    const chat = sent % chats;
    told.send(someConversation(chat), someUser(2 * chat + (Math.floor(sent / chats) % 2)), textOf(textOf200()));
  }
  const batches: FollowedBatch[] = [];
  for (let from = 0; from < told.events.length; from += mostGathered) {
    batches.push(batchOf(told.events, from, Math.min(from + mostGathered, told.events.length)));
  }
  return batches;
};

/** The same documents by the same client, and nothing else: no versions, no look-ups, no position, one refresh at the end. */
const writeBare = async (client: Client, index: IndexAlias, batches: readonly FollowedBatch[]): Promise<void> => {
  for (const batch of batches) {
    const { changes } = projectBatch(batch, -1, new Set());
    const writes = [...writesOf(changes, new Map(), new Set())];
    for (let from = 0; from < writes.length; from += bulkDocuments) {
      const operations = writes
        .slice(from, from + bulkDocuments)
        .flatMap(({ id, routing, document }) => [{ index: { _id: id, routing } }, document]);
      const { errors } = await client.bulk({ index, operations });
      if (errors) throw new Error('a document was refused');
    }
  }
  await client.indices.refresh({ index });
};

/** Documents a second into Elasticsearch by the search index's writer, beside a bare loop in alternating runs. */
export const benchIndexRate = async ({ quick }: BenchOptions): Promise<object> => {
  const messages = quick ? 20_000 : 50_000;
  const rounds = quick ? 3 : 5;
  const server = await startOwnElasticsearch();
  if (server === undefined) throw new Error('Elasticsearch could not be started: a JDK and Maven are needed');
  const connection = connectElasticsearch(new URL(server.url), () => undefined);
  const { client } = connection;
  try {
    const batches = history(messages);
    const documents = batches.reduce((sum, batch) => {
      const { changes } = projectBatch(batch, -1, new Set());
      if (editedOfEarlier(changes).length > 0) throw new Error('nothing here is edited');
      return sum + [...writesOf(changes, new Map(), new Set())].length;
    }, 0);
    const inIndex = async (work: (alias: IndexAlias) => Promise<void>): Promise<number> => {
      const alias = aliasNamed(`parley-bench-${randomBytes(8).toString('hex')}`);
      await openIndex(client, alias);
      try {
        return await perSecond(documents, () => work(alias));
      } finally {
        await removeIndex(client, alias);
      }
    };
    const [ours, bare]: [number[], number[]] = [[], []];
    // The first pair compiles the server's code, and ours.
    for (let round = 0; round <= rounds; round++) {
      const one = await inIndex((alias) => writeBare(client, alias, batches));
      const other = await inIndex(async (alias) => {
        const writer = await openSearchIndexWriter({ client, alias, warn: () => undefined });
        for (const batch of batches) await writer.apply(batch);
        await writer.close();
      });
      if (round === 0) continue;
      bare.push(one);
      ours.push(other);
    }
    const result = {
      documents,
      documents_per_s: median(ours),
      bare_per_s: median(bare),
      ratio: Number(median(ours.map((rate, round) => rate / (bare[round] ?? 0))).toFixed(2)),
    };
    console.table([result]);
    return result;
  } finally {
    await connection.close();
    await server.stop();
  }
};
