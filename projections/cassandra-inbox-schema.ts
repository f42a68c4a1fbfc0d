import type { CassandraTables } from '../command-side/cassandra-schema.ts';

/**
 * The tables of one version of the inbox. Each answers questions by one partition, or by few:
 *
 * - `chat`, a partition a user, a row a chat: the list of chats, what changed of them, unread totals, who shares a chat with
 *   whom. The row holds what is the user's own (membership, marks, settings) and, unless the conversation is above the copy
 *   threshold, a copy of what its row in `conversation` says, so that a list of any length is one read.
 * - `conversation` and `member`, a partition a conversation: what its rows are copied from, its members with their marks.
 * - `message`, a partition per 5,000 seqs: history. A text that is long lies in `long_text`, a partition of its own, so that
 *   a partition of messages is bounded in bytes too.
 * - `sent`, a partition per 5,000 seqs: how many messages of each sender are there, for unread counts over many thousands.
 * - `change`, a partition per 5,000 revisions: which messages were edited or deleted, by place. It only grows.
 * - `command`, a partition a day of the ids' time: where the command with an id stands.
 * - `person`, a partition a user: profile and presence. `block`: whom a user blocks. `person_change`: whose profile changed
 *   when. `online`, a partition a slot: who is online.
 * - `state`: the position, parked streams, whose texts are still to be taken away.
 *
 * No row is ever deleted, and every cell belongs to one stream, by whose revisions it is stamped (`stampOf`): writing it
 * again, out of order or from an earlier position changes nothing. `state` alone belongs to no stream and has stamps of its
 * own. What is null is not written, for that is a tombstone: -1 and '' stand for it.
 */
const tables = {
  chat: `user blob, conversation blob,
    role tinyint, since bigint, rank int, visible_from bigint, joined_place bigint,
    member_place bigint, begun_by blob, begun_at bigint, member_version bigint, peer blob, own bigint,
    copied boolean, kind tinyint, name text, members int, seq bigint, revision bigint, place bigint,
    described_place bigint, changed_place bigint, active_place bigint, active_at bigint, last text,
    delivered bigint, read bigint, marks_place bigint,
    muted_until bigint, pinned boolean, archived_at bigint, setting_place bigint,
    PRIMARY KEY ((user), conversation)`,
  conversation: `conversation blob PRIMARY KEY,
    kind tinyint, name text, members int, seq bigint, revision bigint, place bigint,
    described_place bigint, changed_place bigint, active_place bigint, active_at bigint, last text,
    marks_place bigint, marks_revision bigint`,
  member: `conversation blob, user blob,
    role tinyint, since bigint, rank int, visible_from bigint, joined_place bigint,
    member_place bigint, begun_by blob, begun_at bigint, member_version bigint, own bigint, own_at bigint,
    delivered bigint, delivered_at bigint, read bigint, read_at bigint,
    PRIMARY KEY ((conversation), user)`,
  message: `conversation blob, bucket bigint, seq bigint,
    id blob, sender blob, time bigint, reply_to bigint, revision bigint, sent_place bigint,
    state tinyint, content text, content_revision bigint,
    change_version bigint, change_at bigint, change_place bigint,
    PRIMARY KEY ((conversation, bucket), seq)`,
  long_text: `conversation blob, seq bigint, content text, PRIMARY KEY ((conversation, seq))`,
  sent: `conversation blob, bucket bigint, sender blob, messages int, revision bigint,
    PRIMARY KEY ((conversation, bucket), sender)`,
  change: `conversation blob, chunk bigint, place bigint, seq bigint, PRIMARY KEY ((conversation, chunk), place)`,
  command: `conversation blob, day int, id blob, revision bigint, seq bigint,
    PRIMARY KEY ((conversation, day), id, revision)`,
  person: `user blob PRIMARY KEY,
    registered boolean, erased boolean, display_name text, status_text text, profile_place bigint, blocks_place bigint,
    online boolean, last_seen bigint, availability tinyint, presence_status text, presence_version bigint`,
  block: `user blob, blocked blob, blocks boolean, PRIMARY KEY ((user), blocked)`,
  person_change: `chunk bigint, place bigint, user blob, PRIMARY KEY ((chunk), place)`,
  online: `slot int, user blob, online boolean, PRIMARY KEY ((slot), user)`,
  state: `kind text, key text, value text, PRIMARY KEY ((kind), key)`,
} as const;

export type InboxTable = keyof typeof tables;

export const inboxTables = Object.keys(tables) as readonly InboxTable[];

/**
 * Stamps are revisions, not times, so a compaction that goes by time will not do; what a version leaves is to be gone at
 * once, not kept in a snapshot.
 */
const settings = `compaction = {'class': 'UnifiedCompactionStrategy'} AND allow_auto_snapshot = false`;

/**
 * The sets of tables, each of which holds one version at a time: the live one, the one built beside it, and one to compare
 * with. A version that is removed leaves its set empty.
 */
export const tableSets = ['a', 'b', 'c'] as const;
export type TableSet = (typeof tableSets)[number];

/** The CQL type of each column. */
export const columnTypes: Readonly<Record<InboxTable, ReadonlyMap<string, string>>> = Object.fromEntries(
  inboxTables.map((table) => [
    table,
    new Map(
      [...tables[table].matchAll(/(\w+) (blob|bigint|int|tinyint|boolean|text)\b/g)].map(([, name = '', type = '']) => [
        name,
        type,
      ]),
    ),
  ]),
) as unknown as Readonly<Record<InboxTable, ReadonlyMap<string, string>>>;

export const tableIn = (set: TableSet, table: InboxTable): string => `inbox_${set}_${table}`;

const create = (set: TableSet): readonly string[] =>
  inboxTables.map((table) => `CREATE TABLE IF NOT EXISTS ${tableIn(set, table)} (${tables[table]}) WITH ${settings}`);

/** Made by `parley migrate`, for the processes that write and read have no need to change what tables there are. */
export const inboxCassandraTables: CassandraTables = {
  part: 'inbox',
  steps: [
    [
      // Which version lies in which set, and which one is asked.
      'CREATE TABLE IF NOT EXISTS inbox_catalogue (one int PRIMARY KEY, value text)',
      ...tableSets.flatMap(create),
    ],
  ],
};
