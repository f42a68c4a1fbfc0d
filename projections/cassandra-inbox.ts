import type { CassandraConnection } from '../command-side/cassandra-connection.ts';
import { changeQueries } from './cassandra-inbox-changes.ts';
import { chatQueries } from './cassandra-inbox-chats.ts';
import { historyQueries } from './cassandra-inbox-history.ts';
import { missedQueries } from './cassandra-inbox-missed.ts';
import { presenceQueries } from './cassandra-inbox-presence.ts';
import type { InboxReads } from './cassandra-inbox-read.ts';
import type { TableSet } from './cassandra-inbox-schema.ts';
import { readState } from './cassandra-inbox-state.ts';
import { inboxStore } from './cassandra-inbox-store.ts';
import type { Inbox } from './inbox.ts';

/** Members above which a conversation is not copied to each of them. */
export const mostCopied = 500;

/** The inbox in one set of tables: this end reads what a writer keeps up. */
export const openCassandraInbox = ({ client }: CassandraConnection, set: TableSet): Inbox => {
  const reads: InboxReads = { store: inboxStore(client, set), state: () => readState(client, set) };
  return {
    ...chatQueries(reads),
    ...historyQueries(reads),
    ...changeQueries(reads),
    ...missedQueries(reads),
    ...presenceQueries(reads),
    // The connection is closed by whoever made it.
    close: () => Promise.resolve(),
  };
};
