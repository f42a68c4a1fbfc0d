import { afterAll, beforeAll, describe, inject } from 'vitest';
import { ownKeyspace, type OwnKeyspace } from '../tests/servers/cassandra-keyspace.ts';
import { mostCopied, openCassandraInbox } from './cassandra-inbox.ts';
import { inboxCassandraTables } from './cassandra-inbox-schema.ts';
import { TestSets } from './cassandra-inbox-set.fixture.ts';
import { openCassandraInboxWriter } from './cassandra-inbox-writer.ts';
import { inboxChatsContract } from './inbox-chats.contract.ts';
import { inboxHistoryContract } from './inbox-history.contract.ts';
import { inboxMissedContract } from './inbox-missed.contract.ts';
import { inboxContract } from './inbox.contract.ts';
import type { NewInboxPlace } from './inbox-under-test.fixture.ts';

let keyspace: OwnKeyspace;
const sets = new TestSets(() => keyspace.connection);
beforeAll(async () => {
  keyspace = await ownKeyspace(inject('cassandra'), [inboxCassandraTables]);
});
afterAll(() => keyspace[Symbol.asyncDispose]());

const newPlace =
  (most: number): NewInboxPlace =>
  () => {
    const { connection } = keyspace;
    const set = sets.take();
    const now = () => performance.now();
    return Promise.resolve({
      openWriter: () => openCassandraInboxWriter({ connection, set, mostCopied: most, now, warn: () => undefined }),
      openInbox: () => Promise.resolve(openCassandraInbox(connection, set)),
      remove: () => sets.giveBack(set),
    });
  };

inboxContract('cassandra', newPlace(mostCopied));

describe('conversations of more members than are copied to', () => {
  inboxChatsContract(newPlace(1));
  inboxHistoryContract(newPlace(1));
  // Of people who come and go, so that copies begin and end.
  inboxMissedContract(newPlace(2));
});
