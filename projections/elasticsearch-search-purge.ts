import { setTimeout as pause } from 'node:timers/promises';
import type { Client, estypes } from '@elastic/elasticsearch';
import type { IndexAlias } from './elasticsearch-search-index.ts';

const longestMergeMs = 3_600_000;
const lookAgainMs = 1_000;

/**
 * Takes from the disk what no search finds: documents that were overwritten, and the log of writes. A server keeps both for
 * a copy that may have to be brought up to date, and hears every half minute that no copy needs them any more. It resolves
 * when they are gone: each step may come beside a merge or a commit of the server's own, which began before it and keeps them.
 */
export const purge = async (client: Client, alias: IndexAlias, signal: AbortSignal): Promise<void> => {
  const again = (): Promise<void> => pause(lookAgainMs, undefined, { signal, ref: false });
  const shards = await waitForShards(client, alias);

  // What was written since the last commit that all copies have is kept, whatever its leases say.
  await commit(client, alias);
  const written = new Map((await copiesOf(client, alias, shards)).map(({ shard, last }) => [shard, last]));
  const isKept = ({ shard, keptFrom }: ShardCopy): boolean => keptFrom <= (written.get(shard) ?? 0);
  while ((await copiesOf(client, alias, shards)).some(isKept)) await again();
  await commit(client, alias);

  // A merge that began before this carries them over into a new segment.
  while ((await copiesOf(client, alias, shards)).some(({ isMerging }) => isMerging)) await again();
  await client.indices.refresh({ index: alias });
  const holding = new Set(await segmentsWithDeleted(client, alias, shards));
  for (;;) {
    const asked = { index: alias, only_expunge_deletes: true, flush: false };
    allDone(await client.indices.forcemerge(asked, { requestTimeout: longestMergeMs, signal }));
    // The last commit keeps the files of its segments, and a merge that forcemerge found under way ends behind it.
    await commit(client, alias);
    // Searches keep the files they read: let them read the new ones.
    allDone(await client.indices.refresh({ index: alias }));
    if (!(await segmentsWithDeleted(client, alias, shards)).some((segment) => holding.has(segment))) break;
    await again();
  }
  // While somebody writes, the commit before the last is kept too.
  await commit(client, alias);
};

const commit = async (client: Client, alias: IndexAlias): Promise<void> => {
  allDone(await client.indices.flush({ index: alias, force: true }));
};

/** What is asked of all shards answers 200 also where one of them did not do it. */
const allDone = ({ _shards: shards }: { readonly _shards?: estypes.ShardStatistics }): void => {
  const [failure] = shards?.failures ?? [];
  if (shards === undefined || shards.failed > 0)
    throw new Error(
      `Elasticsearch did it not in all shards: ${failure?.reason.reason ?? failure?.reason.type ?? 'no reason was given'}`,
    );
};

const waitForShards = async (client: Client, alias: IndexAlias): Promise<number> => {
  const health = await client.cluster.health({ index: alias, wait_for_status: 'yellow', timeout: '10s' });
  if (health.timed_out) throw new Error('Elasticsearch has not all shards of the index');
  return health.active_primary_shards;
};

interface ShardCopy {
  readonly shard: string;
  /** The number of its last write, and of the oldest that is kept for other copies. */
  readonly last: number;
  readonly keptFrom: number;
  readonly isMerging: boolean;
}

/** A shard that is away is not in the answer, and nothing is known of it. */
const allThere = (found: readonly { readonly shard: string }[], shards: number): void => {
  if (new Set(found.map(({ shard }) => shard)).size < shards)
    throw new Error('Elasticsearch has not all shards of the index');
};

const copiesOf = async (client: Client, alias: IndexAlias, shards: number): Promise<readonly ShardCopy[]> => {
  const { indices = {} } = await client.indices.stats({ index: alias, metric: ['docs', 'merge'], level: 'shards' });
  const found = Object.values(indices).flatMap(({ shards: byNumber = {} }) =>
    Object.entries(byNumber).flatMap(([shard, copies]) =>
      copies.map(({ seq_no: numbers, retention_leases: leases, merges }) => ({
        shard,
        last: numbers?.max_seq_no ?? -1,
        keptFrom: Math.min(...(leases?.leases.map(({ retaining_seq_no: from }) => from) ?? []), Infinity),
        isMerging: (merges?.current ?? 0) > 0,
      })),
    ),
  );
  allThere(found, shards);
  return found;
};

/**
 * Of the last commit and of what searches read. Copies of a shard give the same name to different segments, and one that
 * moves takes its names along.
 */
const segmentsWithDeleted = async (client: Client, alias: IndexAlias, shards: number): Promise<readonly string[]> => {
  const { indices } = await client.indices.segments({ index: alias });
  const found = Object.values(indices).flatMap(({ shards: byNumber }) =>
    Object.entries(byNumber).flatMap(([shard, copies]) => [copies].flat().map(({ segments }) => ({ shard, segments }))),
  );
  allThere(found, shards);
  return found.flatMap(({ shard, segments }) =>
    Object.entries(segments).flatMap(([name, { deleted_docs: deleted }]) => (deleted > 0 ? [`${shard} ${name}`] : [])),
  );
};
