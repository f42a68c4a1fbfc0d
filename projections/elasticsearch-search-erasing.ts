import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '@elastic/elasticsearch';
import type { UserId } from '../schemas/ids.ts';
import { writeDocuments } from './elasticsearch-search-bulk.ts';
import { hexOf, userIn, versionOfErasing, type ErasedDocument, type Write } from './elasticsearch-search-documents.ts';
import { kinds, type IndexAlias } from './elasticsearch-search-index.ts';

const page = 1_000;
const longestMergeMs = 3_600_000;
const lookAgainMs = 1_000;

/** Everybody who was erased. What they wrote may be under way still. */
export const readErased = async (client: Client, alias: IndexAlias): Promise<Set<UserId>> => {
  const erased = new Set<UserId>();
  for (let after: string | undefined; ;) {
    const { hits } = await client.search<ErasedDocument>({
      ...{ index: alias, size: page, track_total_hits: false, query: { term: { kind: kinds.erased } } },
      ...{ sort: [{ user: 'asc' }], ...(after !== undefined && { search_after: [after] }) },
    });
    for (const { _source: found } of hits.hits) if (found !== undefined) erased.add(userIn((after = found.user)));
    if (hits.hits.length < page) return erased;
  }
};

/** Makes stubs of what a user wrote, as far as searches find it; false: nothing of it is left. */
export const eraseSome = async (client: Client, alias: IndexAlias, user: UserId): Promise<boolean> => {
  const { hits } = await client.search({
    ...{ index: alias, size: page, track_total_hits: false, _source: false, version: true },
    query: { bool: { filter: [{ term: { sender: hexOf(user) } }, { term: { kind: kinds.message } }] } },
  });
  const stubs = hits.hits.map(({ _id: id = '', _routing: routing = '', _version: version = 0 }): Write => ({
    ...{ id, routing, version: versionOfErasing(version), document: { kind: 'stub' } },
  }));
  await writeDocuments(client, alias, stubs);
  return stubs.length > 0;
};

/**
 * Takes from the disk what no search finds: documents that were overwritten, and the log of writes. A server keeps both for
 * a copy that may have to be brought up to date, and hears every half minute that no copy needs them any more.
 */
export const purge = async (client: Client, alias: IndexAlias, signal: AbortSignal): Promise<void> => {
  const written = new Map((await copiesOf(client, alias)).map(({ shard, last }) => [shard, last]));
  const isKept = ({ shard, keptFrom }: ShardCopy): boolean => keptFrom <= (written.get(shard) ?? 0);
  while ((await copiesOf(client, alias)).some(isKept)) await pause(lookAgainMs, undefined, { signal, ref: false });
  // Also where nothing was written since the last one: an older commit is kept, and with it what it holds, until a new one is made.
  await client.indices.flush({ index: alias, force: true });
  const asked = { index: alias, only_expunge_deletes: true, flush: true };
  await client.indices.forcemerge(asked, { requestTimeout: longestMergeMs, signal });
  // Searches keep the files they read: let them read the new ones.
  await client.indices.refresh({ index: alias });
};

interface ShardCopy {
  readonly shard: string;
  /** The number of its last write, and of the oldest that is kept for other copies. */
  readonly last: number;
  readonly keptFrom: number;
}

const copiesOf = async (client: Client, alias: IndexAlias): Promise<readonly ShardCopy[]> => {
  const { indices = {} } = await client.indices.stats({ index: alias, metric: 'docs', level: 'shards' });
  return Object.values(indices).flatMap(({ shards = {} }) =>
    Object.entries(shards).flatMap(([shard, copies]) =>
      copies.map(({ seq_no: numbers, retention_leases: leases }) => ({
        shard,
        last: numbers?.max_seq_no ?? -1,
        keptFrom: Math.min(...(leases?.leases.map(({ retaining_seq_no: from }) => from) ?? []), Infinity),
      })),
    ),
  );
};
