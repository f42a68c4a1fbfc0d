import type { Inbox } from '../projections/inbox.ts';
import type { Progress } from '../projections/progress.ts';
import { inboxKinds } from '../projections/project-inbox.ts';
import type { ClusterUrl } from '../schemas/cluster-url.ts';
import type { StorePlace } from '../schemas/store-place.ts';
import { lateVersions } from './late-versions.ts';
import { inboxVersion, liveInbox } from './live-inbox.ts';
import { ConfigurationUnusable } from './load-configuration.ts';
import type { CassandraClusters } from './open-cassandra.ts';
import { openVersions, type Versions, type VersionsDeps, type VersionsOperated } from './read-model-versions.ts';
import { versionFiles } from './version-files.ts';

export interface FollowingInbox {
  /** Of the version that is live. */
  readonly inbox: Inbox;
  readonly follower: Progress;
  readonly inboxVersions: VersionsOperated;
}

export interface InboxDeps extends VersionsDeps {
  readonly cassandra: CassandraClusters;
}

/** The inbox, kept up with the log until `stack` is unwound. */
export const openInbox = async (
  place: StorePlace,
  deps: InboxDeps,
  stack: AsyncDisposableStack,
): Promise<FollowingInbox> => {
  const versions =
    place.in === 'sqlite'
      ? await openInFiles(place.directory, deps, stack)
      : await openOnCassandra(place.cluster, deps, stack);
  return { inbox: liveInbox(() => versions.asked()), follower: versions.progress, inboxVersions: versions };
};

/** In files of its own in a directory. */
const openInFiles = async (
  directory: string,
  deps: VersionsDeps,
  stack: AsyncDisposableStack,
): Promise<Versions<Inbox>> => {
  const { openSqliteInbox, openSqliteInboxWriter } = await import('../projections/sqlite-inbox.ts');
  const store = versionFiles({
    ...deps,
    name: 'inbox',
    version: inboxVersion.sqlite,
    directory,
    openWriter: openSqliteInboxWriter,
    openAsked: openSqliteInbox,
  });
  return openVersions({ name: 'inbox', streamKinds: inboxKinds, store }, deps, stack);
};

/** Over tables that `parley migrate` has made. */
const openOnCassandra = async (
  cluster: ClusterUrl,
  deps: InboxDeps,
  stack: AsyncDisposableStack,
): Promise<Versions<Inbox>> => {
  const [{ inboxCassandraTables: tables }, { inboxVersions }, { CassandraUnusable }] = await Promise.all([
    import('../projections/cassandra-inbox-schema.ts'),
    import('../projections/cassandra-inbox-versions.ts'),
    import('../command-side/cassandra-connection.ts'),
  ]);
  const setting = 'PARLEY_INBOX';
  const connection = await deps.cassandra.on({ setting, cluster, tables }, (found) => Promise.resolve(found));
  const store = inboxVersions({ ...deps, connection, version: inboxVersion.cassandra });
  const hopeless = (error: unknown): Error | undefined =>
    error instanceof CassandraUnusable ? new ConfigurationUnusable(`${setting}: ${error.message}`) : undefined;
  return lateVersions(
    (own) => openVersions({ name: 'inbox', streamKinds: inboxKinds, store }, deps, own),
    { ...deps, name: 'inbox', hopeless },
    stack,
  );
};
