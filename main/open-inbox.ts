import { join } from 'node:path';
import type { Clock, RandomBytes } from '../command-side/clock.ts';
import type { Warn } from '../command-side/warn.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { follow, type Follower } from '../projections/follow.ts';
import type { Inbox } from '../projections/inbox.ts';
import { inboxKinds } from '../projections/project-inbox.ts';
import { openReadModel } from './open-read-model.ts';

export interface FollowingInbox {
  readonly inbox: Inbox;
  readonly follower: Follower;
}

export interface InboxDeps {
  readonly eventLog: EventLog;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly warn: Warn;
}

const inboxVersion = 1;

/** The inbox in a file of its own below the data, kept up with the log until `stack` is unwound. */
export const openInbox = async (
  data: string,
  deps: InboxDeps,
  stack: AsyncDisposableStack,
): Promise<FollowingInbox> => {
  const { openSqliteInbox, openSqliteInboxWriter } = await import('../projections/sqlite-inbox.ts');
  const { path, writer } = await openReadModel(
    { name: 'inbox', version: inboxVersion, directory: join(data, 'views'), open: openSqliteInboxWriter },
    deps.eventLog,
    deps.warn,
  );
  stack.defer(() => writer.close());
  const inbox = await openSqliteInbox(path);
  stack.defer(() => inbox.close());
  const follower = follow({ ...deps, writer, streamKinds: inboxKinds });
  void follower.failed.then((error) => deps.warn({ err: error }, 'the inbox is not followed any more'));
  stack.defer(() => follower.close());
  return { inbox, follower };
};
