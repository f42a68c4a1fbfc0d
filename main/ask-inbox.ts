import type { Inbox } from '../projections/inbox.ts';
import type { Progress } from '../projections/progress.ts';
import type { ClusterUrl } from '../schemas/cluster-url.ts';
import { inboxVersion, liveInbox } from './live-inbox.ts';
import type { InboxDeps } from './open-inbox.ts';
import { watchVersions } from './watch-versions.ts';

export interface AskedInbox {
  readonly inbox: Inbox;
  readonly progress: Progress;
}

/** The inbox that another process keeps up, until `stack` is unwound. */
export const askInbox = async (
  cluster: ClusterUrl,
  deps: InboxDeps,
  stack: AsyncDisposableStack,
): Promise<AskedInbox> => {
  const [{ inboxCassandraTables: tables }, { inboxVersionReads }] = await Promise.all([
    import('../projections/cassandra-inbox-schema.ts'),
    import('../projections/cassandra-inbox-versions.ts'),
  ]);
  const wanted = { setting: 'PARLEY_INBOX', cluster, tables } as const;
  const connection = await deps.cassandra.on(wanted, (found) => Promise.resolve(found));
  const reads = inboxVersionReads({ ...deps, connection, version: inboxVersion.cassandra });
  const versions = watchVersions(reads, { ...deps, name: 'inbox' }, stack);
  return { inbox: liveInbox(() => versions.asked()), progress: versions.progress };
};
