import type { AccountsStore } from '../command-side/accounts-store.ts';
import type { Progress } from '../projections/progress.ts';
import { searchedStreams } from '../projections/project-search.ts';
import type { MessageSearch } from '../projections/search.ts';
import type { SearchPlace } from '../schemas/search-place.ts';
import { lateVersions } from './late-versions.ts';
import { liveSearch, searchBudgetMs as budgetMs, searchNames, searchVersion } from './live-search.ts';
import { ConfigurationUnusable } from './load-configuration.ts';
import { openVersions, type Versions, type VersionsDeps, type VersionsOperated } from './read-model-versions.ts';
import { versionFiles } from './version-files.ts';

export interface SearchDeps extends VersionsDeps {
  readonly accounts: Pick<AccountsStore, 'installKey'>;
}

export interface FollowingSearch {
  /** Of the version that is live. */
  readonly search: MessageSearch;
  readonly searchFollower: Progress;
  readonly searchVersions: VersionsOperated;
  /** The server it needs, `ok` or why it is not. */
  readonly searchState: () => Readonly<Record<string, string>>;
}

type Opened = Pick<FollowingSearch, 'searchState'> & { readonly versions: Versions<MessageSearch> };

/** The search index, kept up with the log until `stack` is unwound. */
export const openSearch = async (
  place: SearchPlace,
  deps: SearchDeps,
  stack: AsyncDisposableStack,
): Promise<FollowingSearch> => {
  const { versions, searchState } =
    place.in === 'sqlite'
      ? await openInFiles(place.directory, deps, stack)
      : await openOnElasticsearch(place, deps, stack);
  const search = liveSearch(() => versions.asked());
  return { search, searchFollower: versions.progress, searchVersions: versions, searchState };
};

const openInFiles = async (directory: string, deps: VersionsDeps, stack: AsyncDisposableStack): Promise<Opened> => {
  const { openSqliteSearchReader, openSqliteSearchWriter } = await import('../projections/sqlite-search.ts');
  const store = versionFiles({
    ...deps,
    name: 'search',
    version: searchVersion.sqlite,
    directory,
    openWriter: openSqliteSearchWriter,
    openAsked: (path) => openSqliteSearchReader({ path, budgetMs }),
  });
  const versions = await openVersions({ name: 'search', streamKinds: searchedStreams, store }, deps, stack);
  return { versions, searchState: () => ({}) };
};

/** A server that is away is waited for, not by the start. */
const openOnElasticsearch = async (
  { url, prefix }: SearchPlace & { readonly in: 'elasticsearch' },
  deps: SearchDeps,
  stack: AsyncDisposableStack,
): Promise<Opened> => {
  const [{ checkElasticsearch, connectElasticsearch, ElasticsearchUnusable }, { searchIndices }] = await Promise.all([
    import('../projections/elasticsearch-connection.ts'),
    import('../projections/elasticsearch-search-versions.ts'),
  ]);
  const connection = connectElasticsearch(new URL(url), deps.warn);
  stack.defer(() => connection.close());
  const { client } = connection;
  const store = searchIndices({
    ...deps,
    client,
    prefix: searchNames(prefix, deps.accounts),
    version: searchVersion.elasticsearch,
    budgetMs,
  });
  const kind = { name: 'search', streamKinds: searchedStreams, store } as const;
  const hopeless = (error: unknown): Error | undefined =>
    error instanceof ElasticsearchUnusable ? new ConfigurationUnusable(`PARLEY_SEARCH: ${error.message}`) : undefined;
  const versions = await lateVersions(
    async (own) => {
      await checkElasticsearch(connection);
      return openVersions(kind, deps, own);
    },
    { ...deps, name: 'search', hopeless },
    stack,
  );
  return { versions, searchState: () => ({ search: connection.away() ?? 'ok' }) };
};
