import type { Inbox } from '../projections/inbox.ts';
import type { Progress } from '../projections/progress.ts';
import { inboxKinds } from '../projections/project-inbox.ts';
import { openVersions, type VersionsDeps, type VersionsOperated } from './read-model-versions.ts';
import { versionFiles } from './version-files.ts';

export interface FollowingInbox {
  /** Of the version that is live. */
  readonly inbox: Inbox;
  readonly follower: Progress;
  readonly inboxVersions: VersionsOperated;
}

const inboxVersion = 5;

/** The inbox in files of its own in a directory, kept up with the log until `stack` is unwound. */
export const openInbox = async (
  directory: string,
  deps: VersionsDeps,
  stack: AsyncDisposableStack,
): Promise<FollowingInbox> => {
  const { openSqliteInbox, openSqliteInboxWriter } = await import('../projections/sqlite-inbox.ts');
  const store = versionFiles({
    ...deps,
    name: 'inbox',
    version: inboxVersion,
    directory,
    openWriter: openSqliteInboxWriter,
    openAsked: openSqliteInbox,
  });
  const versions = await openVersions({ name: 'inbox', streamKinds: inboxKinds, store }, deps, stack);
  return { inbox: liveInbox(() => versions.asked()), follower: versions.progress, inboxVersions: versions };
};

const liveInbox = (live: () => Inbox): Inbox => ({
  chats: (...asked) => live().chats(...asked),
  chat: (...asked) => live().chat(...asked),
  totalUnread: (...asked) => live().totalUnread(...asked),
  messages: (...asked) => live().messages(...asked),
  message: (...asked) => live().message(...asked),
  members: (...asked) => live().members(...asked),
  changesAfter: (...asked) => live().changesAfter(...asked),
  chatsAfter: (...asked) => live().chatsAfter(...asked),
  changesOf: (...asked) => live().changesOf(...asked),
  missedAfter: (...asked) => live().missedAfter(...asked),
  profiles: (...asked) => live().profiles(...asked),
  blocks: (...asked) => live().blocks(...asked),
  presence: (...asked) => live().presence(...asked),
  onlineAfter: (...asked) => live().onlineAfter(...asked),
  findCommand: (...asked) => live().findCommand(...asked),
  // The versions close what they opened.
  close: () => Promise.resolve(),
});
