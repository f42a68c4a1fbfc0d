import { afterAll, beforeAll, describe, inject } from 'vitest';
import { ownKeyspace, type OwnKeyspace } from '../tests/servers/cassandra-keyspace.ts';
import { mostCopied, openCassandraInbox } from './cassandra-inbox.ts';
import { inboxCassandraTables, inboxTables, tableIn, tableSets, type TableSet } from './cassandra-inbox-schema.ts';
import { openCassandraInboxWriter } from './cassandra-inbox-writer.ts';
import { inboxChatsContract } from './inbox-chats.contract.ts';
import { inboxHistoryContract } from './inbox-history.contract.ts';
import { inboxMissedContract } from './inbox-missed.contract.ts';
import { inboxContract } from './inbox.contract.ts';
import type { NewInboxPlace } from './inbox-under-test.fixture.ts';

let keyspace: OwnKeyspace;
const free: TableSet[] = [...tableSets];
beforeAll(async () => {
  keyspace = await ownKeyspace(inject('cassandra'), [inboxCassandraTables]);
});
afterAll(() => keyspace[Symbol.asyncDispose]());

const newPlace =
  (most: number): NewInboxPlace =>
  async () => {
    const { connection } = keyspace;
    const set = free.pop();
    if (set === undefined) throw new Error('no set of tables is free');
    const now = () => performance.now();
    return {
      openWriter: () => openCassandraInboxWriter({ connection, set, mostCopied: most, now, warn: () => undefined }),
      openInbox: () => Promise.resolve(openCassandraInbox(connection, set)),
      async remove() {
        for (const table of inboxTables) {
          await connection.client.execute(`TRUNCATE ${tableIn(set, table)}`, [], { prepare: false });
        }
        free.push(set);
      },
    };
  };

inboxContract('cassandra', newPlace(mostCopied));

describe('conversations of more members than are copied to', () => {
  inboxChatsContract(newPlace(1));
  inboxHistoryContract(newPlace(1));
  // Of people who come and go, so that copies begin and end.
  inboxMissedContract(newPlace(2));
});
