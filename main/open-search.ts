import { join } from 'node:path';
import { follow, type Follower } from '../projections/follow.ts';
import { searchedStreams } from '../projections/project-search.ts';
import type { MessageSearch } from '../projections/search.ts';
import type { InboxDeps } from './open-inbox.ts';
import { openReadModel } from './open-read-model.ts';

export interface FollowingSearch {
  readonly search: MessageSearch;
  readonly searchFollower: Follower;
}

const searchVersion = 1;
/** After this long a search stops with what it has. */
const budgetMs = 200;

/** The search index in a file of its own below the data, kept up with the log until `stack` is unwound. */
export const openSearch = async (
  data: string,
  deps: InboxDeps,
  stack: AsyncDisposableStack,
): Promise<FollowingSearch> => {
  const { openSqliteSearchReader, openSqliteSearchWriter } = await import('../projections/sqlite-search.ts');
  const { path, writer } = await openReadModel(
    { name: 'search', version: searchVersion, directory: join(data, 'views'), open: openSqliteSearchWriter },
    deps.eventLog,
    deps.warn,
  );
  stack.defer(() => writer.close());
  const search = await openSqliteSearchReader({ path, budgetMs });
  stack.defer(() => search.close());
  const searchFollower = follow({ ...deps, writer, streamKinds: searchedStreams });
  stack.defer(() => searchFollower.close());
  return { search, searchFollower };
};
