import type { Inbox } from '../projections/inbox.ts';

/** Rises whenever the same log gives other rows: then it is built anew. */
export const inboxVersion = { sqlite: 5, cassandra: 1 } as const;

/** While none is open, what is asked rejects. */
export const liveInbox = (live: () => Inbox): Inbox => ({
  chats: async (...asked) => live().chats(...asked),
  chat: async (...asked) => live().chat(...asked),
  totalUnread: async (...asked) => live().totalUnread(...asked),
  messages: async (...asked) => live().messages(...asked),
  message: async (...asked) => live().message(...asked),
  members: async (...asked) => live().members(...asked),
  changesAfter: async (...asked) => live().changesAfter(...asked),
  chatsAfter: async (...asked) => live().chatsAfter(...asked),
  changesOf: async (...asked) => live().changesOf(...asked),
  missedAfter: async (...asked) => live().missedAfter(...asked),
  profiles: async (...asked) => live().profiles(...asked),
  blocks: async (...asked) => live().blocks(...asked),
  presence: async (...asked) => live().presence(...asked),
  onlineAfter: async (...asked) => live().onlineAfter(...asked),
  findCommand: async (...asked) => live().findCommand(...asked),
  // The versions close what they opened.
  close: () => Promise.resolve(),
});
