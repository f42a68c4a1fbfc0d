import type { Progress } from '../projections/progress.ts';
import type { MessageSearch } from '../projections/search.ts';
import type { SearchPlace } from '../schemas/search-place.ts';
import { liveSearch, searchBudgetMs, searchNames, searchVersion } from './live-search.ts';
import type { SearchDeps } from './open-search.ts';
import { watchVersions } from './watch-versions.ts';

export interface AskedSearch {
  readonly search: MessageSearch;
  readonly progress: Progress;
  /** The server it needs, `ok` or why it is not. */
  readonly state: () => Readonly<Record<string, string>>;
}

/** The search index that another process keeps up, until `stack` is unwound. */
export const askSearch = async (
  { url, prefix }: SearchPlace & { readonly in: 'elasticsearch' },
  deps: SearchDeps,
  stack: AsyncDisposableStack,
): Promise<AskedSearch> => {
  const [{ connectElasticsearch }, { searchIndexReads }] = await Promise.all([
    import('../projections/elasticsearch-connection.ts'),
    import('../projections/elasticsearch-search-versions.ts'),
  ]);
  const connection = connectElasticsearch(new URL(url), deps.warn);
  stack.defer(() => connection.close());
  const reads = searchIndexReads({
    ...deps,
    client: connection.client,
    prefix: searchNames(prefix, deps.accounts),
    version: searchVersion.elasticsearch,
    budgetMs: searchBudgetMs,
  });
  const versions = watchVersions(reads, { ...deps, name: 'search' }, stack);
  return {
    search: liveSearch(() => versions.asked()),
    progress: versions.progress,
    state: () => ({ search: connection.away() ?? 'ok' }),
  };
};
