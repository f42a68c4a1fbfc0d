import { isDeepStrictEqual } from 'node:util';
import type { Client, estypes } from '@elastic/elasticsearch';
import { ElasticsearchUnusable, exceptionIn } from './elasticsearch-connection.ts';

/**
 * One version of the search index: documents of five kinds. Messages, members and blocks say what is found and by whom;
 * `erased` names who is no more, for nothing of theirs may come back; `state` is one document, how far all of it is.
 * What is gone is a stub, for Elasticsearch forgets what it deletes, and an older document would come in again.
 *
 * Ids stand as hexadecimal digits, so that their order is that of their bytes. Messages lie by their place in the log, newest
 * first, so the newest of many hits come out without looking at the others. A conversation's messages and members lie in one
 * shard, in which who was removed is gone no later than the next message shows.
 */
export const kinds = {
  message: 'message',
  member: 'member',
  block: 'block',
  erased: 'erased',
  state: 'state',
  stub: 'stub',
} as const;

const properties: Record<string, estypes.MappingProperty> = {
  kind: { type: 'keyword' },
  conversation: { type: 'keyword' },
  seq: { type: 'long' },
  sender: { type: 'keyword' },
  time: { type: 'long' },
  place: { type: 'long' },
  type: { type: 'keyword' },
  /** Our own terms; where they stand is seen in the text, which is read anyway to mark them. */
  words: { type: 'text', analyzer: 'whitespace', index_options: 'docs', norms: false },
  user: { type: 'keyword' },
  visibleFrom: { type: 'long' },
  blocked: { type: 'keyword' },
  content: { type: 'object', enabled: false },
  state: { type: 'object', enabled: false },
};

/** Rises with the mapping. */
const schema = 1;
const madeBy = 'parley-search';
const ourMeta = { madeBy, schema };

const settings: estypes.IndicesIndexSettings = {
  // The writer says when: then a position is never ahead of what can be found.
  refresh_interval: '-1',
  sort: { field: ['place'], order: ['desc'] },
  // What was erased leaves the disk also where it is a small part of its segment.
  'merge.policy.expunge_deletes_allowed': 0,
  // For a copy that was lost it is kept no longer: such a copy is made anew.
  'soft_deletes.retention_lease.period': '5m',
};

/** Written to and read by this name alone: an index that is gone is never made anew by what is written to it. */
export type IndexAlias = string & { readonly alias: unique symbol };
const suffix = '-index';
export const indexOf = (alias: string): string => `${alias}${suffix}`;
export const aliasNamed = (name: string): IndexAlias => name as IndexAlias;

export const isMissingIndex = (error: unknown): boolean => exceptionIn(error) === 'index_not_found_exception';

interface FoundIndex {
  readonly alias: IndexAlias;
  readonly meta: Readonly<Record<string, unknown>>;
}

/** A server says of a mapping what is not as usual, each version in its own way. */
const typesOf = (mapping: Readonly<Record<string, estypes.MappingProperty>> = {}): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(mapping).map(([field, { type }]) => [field, type ?? 'object']));

/** Checks what lies under a name before a document is written to it. */
const ours = (index: string, { mappings }: estypes.IndicesIndexState): FoundIndex => {
  const meta = mappings?._meta ?? {};
  if (meta['madeBy'] !== madeBy || !index.endsWith(suffix))
    throw new ElasticsearchUnusable(`the index ${index} is there and is not one of Parley's search`);
  if (meta['schema'] !== schema || !isDeepStrictEqual(typesOf(mappings?.properties), typesOf(properties)))
    throw new ElasticsearchUnusable(`the index ${index} has not the mapping that Parley gave it`);
  return { alias: aliasNamed(index.slice(0, -suffix.length)), meta };
};

/** The versions whose names begin with `prefix`. */
export const findIndices = async (client: Client, prefix: string): Promise<readonly FoundIndex[]> => {
  const found = await client.indices.get({ index: `${prefix}*`, allow_no_indices: true, expand_wildcards: 'all' });
  return Object.entries(found).map(([index, state]) => ours(index, state));
};

/** Opens a version, and makes it when it is not there. */
export const openIndex = async (client: Client, alias: IndexAlias): Promise<void> => {
  const index = indexOf(alias);
  try {
    const mappings: estypes.MappingTypeMapping = { dynamic: 'strict', _meta: ourMeta, properties };
    await client.indices.create({ index, aliases: { [alias]: {} }, settings: { index: settings }, mappings });
  } catch (error) {
    if (exceptionIn(error) !== 'resource_already_exists_exception') throw error;
    const state = (await client.indices.get({ index }))[index];
    if (state !== undefined) ours(index, state);
  }
  await client.cluster.health({ index, wait_for_status: 'yellow', timeout: '10s' });
  // What a process wrote before it ended may not be found yet.
  await client.indices.refresh({ index: alias });
};

export const removeIndex = async (client: Client, alias: string): Promise<void> => {
  await client.indices.delete({ index: indexOf(alias), ignore_unavailable: true });
};

/** The version under the name that says which one is asked. */
export const liveIndex = async (
  client: Client,
  liveAlias: string,
): Promise<{ readonly name: string; readonly since: number } | undefined> => {
  const found = await client.indices.get({ index: liveAlias, ignore_unavailable: true });
  for (const [index, state] of Object.entries(found)) {
    const { alias, meta } = ours(index, state);
    return { name: alias, since: Number(meta['liveSince'] ?? 0) };
  }
  return undefined;
};

export interface Switch {
  readonly liveAlias: string;
  readonly alias: IndexAlias;
  readonly prefix: string;
  readonly since: number;
}

export const setLiveIndex = async (client: Client, { liveAlias, alias, prefix, since }: Switch): Promise<void> => {
  const index = indexOf(alias);
  await client.indices.putMapping({ index, _meta: { ...ourMeta, liveSince: since } });
  const actions: estypes.IndicesUpdateAliasesAction[] = [
    { remove: { index: `${prefix}*`, alias: liveAlias, must_exist: false } },
    { add: { index, alias: liveAlias } },
  ];
  await client.indices.updateAliases({ actions });
};
