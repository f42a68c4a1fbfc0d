import { startSqliteWorker } from '../command-side/sqlite-worker.ts';
import { batchToJson } from './batch-json.ts';
import { clampLimit, type Inbox } from './inbox.ts';
import { chatCursor, placeInCursor } from './inbox-chat-list.ts';
import type { ReadModelWriter } from './read-model.ts';
import type { InboxDumpCalls } from './sqlite-inbox-dump.ts';
import type { InboxReaderCalls } from './sqlite-inbox-reader.ts';
import type { InboxWriterCalls } from './sqlite-inbox-writer.ts';

const threadOf = (name: 'writer' | 'reader' | 'dump'): URL => new URL(`./sqlite-inbox-${name}.ts`, import.meta.url);

/** The inbox in one SQLite file: this end writes it, in a thread of its own. */
export const openSqliteInboxWriter = async (path: string): Promise<ReadModelWriter> => {
  const worker = await startSqliteWorker<InboxWriterCalls>(threadOf('writer'), { path });
  return {
    async position() {
      const applied = await worker.call('position', null);
      return applied === null ? undefined : { applied, safe: applied };
    },
    apply: async (batch) => ({ parked: await worker.call('apply', batchToJson(batch)) }),
    parked: () => worker.call('parked', null),
    async refold(stream, pages) {
      await worker.call('forget', stream);
      for await (const page of pages) {
        if ((await worker.call('foldParked', batchToJson(page))) !== null) return;
      }
      await worker.call('unpark', stream);
    },
    holdsErased: () => worker.call('holdsErased', null),
    dump: () => dump(path),
    close: () => worker.close(),
  };
};

/** From a connection of its own, so that all of it is one state of the file. */
async function* dump(path: string): AsyncGenerator<string> {
  const worker = await startSqliteWorker<InboxDumpCalls>(threadOf('dump'), { path });
  try {
    for (;;) {
      const lines = await worker.call('next', null);
      if (lines.length === 0) return;
      yield* lines;
    }
  } finally {
    await worker.close();
  }
}

/** This end reads a file that a writer has opened, in a thread of its own. */
export const openSqliteInbox = async (path: string): Promise<Inbox> => {
  const worker = await startSqliteWorker<InboxReaderCalls>(threadOf('reader'), { path });
  return {
    async chats(user, { cursor, limit, archived = null, pinned = null }) {
      const before = placeInCursor(cursor);
      const found = await worker.call('chats', { user, before, limit: clampLimit(limit), archived, pinned });
      const { chats, next, incomplete } = found;
      return { chats, next: next === null ? null : chatCursor(next), incomplete };
    },
    chat: (user, conversation) => worker.call('chat', { user, conversation }),
    totalUnread: (user) => worker.call('totalUnread', user),
    messages: (user, conversation, from, limit) =>
      worker.call('messages', { user, conversation, from, limit: clampLimit(limit) }),
    message: (user, conversation, which) => worker.call('message', { user, conversation, which }),
    members: (user, conversation) => worker.call('members', { user, conversation }),
    changesAfter: (user, place, limit) => worker.call('changesAfter', { user, place, limit: clampLimit(limit) }),
    chatsAfter: (user, place, limit) => worker.call('chatsAfter', { user, place, limit: clampLimit(limit) }),
    changesOf: (user, conversation, place, limit) =>
      worker.call('changesOf', { user, conversation, place, limit: clampLimit(limit) }),
    missedAfter: (user, place, limit) => worker.call('missedAfter', { user, place, limit }),
    profiles: (users) => worker.call('profiles', users.slice(0, clampLimit(users.length))),
    blocks: (user) => worker.call('blocks', user),
    presence: (user, of, mostMembers) =>
      worker.call('presence', { user, of: of.slice(0, clampLimit(of.length)), mostMembers }),
    onlineAfter: (user, limit) => worker.call('onlineAfter', { user, limit: clampLimit(limit) }),
    findCommand: (conversation, id) => worker.call('findCommand', { conversation, id }),
    close: () => worker.close(),
  };
};
