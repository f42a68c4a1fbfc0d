import type { Client } from '@elastic/elasticsearch';
import type { UserId } from '../schemas/ids.ts';
import { writeDocuments } from './elasticsearch-search-bulk.ts';
import { hexOf, userIn, versionOfErasing, type ErasedDocument, type Write } from './elasticsearch-search-documents.ts';
import { kinds, type IndexAlias } from './elasticsearch-search-index.ts';

const page = 1_000;

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
