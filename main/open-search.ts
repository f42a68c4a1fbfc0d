import type { Progress } from '../projections/progress.ts';
import { searchedStreams } from '../projections/project-search.ts';
import type { MessageSearch } from '../projections/search.ts';
import { openVersions, type VersionsDeps, type VersionsOperated } from './read-model-versions.ts';
import { versionFiles } from './version-files.ts';

export interface FollowingSearch {
  /** Of the version that is live. */
  readonly search: MessageSearch;
  readonly searchFollower: Progress;
  readonly searchVersions: VersionsOperated;
}

const searchVersion = 3;
/** After this long a search stops with what it has. */
const budgetMs = 200;

/** The search index in files of its own in a directory, kept up with the log until `stack` is unwound. */
export const openSearch = async (
  directory: string,
  deps: VersionsDeps,
  stack: AsyncDisposableStack,
): Promise<FollowingSearch> => {
  const { openSqliteSearchReader, openSqliteSearchWriter } = await import('../projections/sqlite-search.ts');
  const store = versionFiles({
    ...deps,
    name: 'search',
    version: searchVersion,
    directory,
    openWriter: openSqliteSearchWriter,
    openAsked: (path) => openSqliteSearchReader({ path, budgetMs }),
  });
  const versions = await openVersions({ name: 'search', streamKinds: searchedStreams, store }, deps, stack);
  const search: MessageSearch = {
    search: (request) => versions.asked().search(request),
    // The versions close what they opened.
    close: () => Promise.resolve(),
  };
  return { search, searchFollower: versions.progress, searchVersions: versions };
};
