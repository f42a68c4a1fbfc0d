import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';
import { openSqliteFile } from '../command-side/sqlite-file.ts';
import { bufferOf } from '../event-log/bytes.ts';
import type { CommandId, ConversationId, UserId } from '../schemas/ids.ts';
import { commandIdOf, conversationIdOf, userIdOf } from './inbox-codes.ts';

/** What `message.state` says of its content. */
export const messageState = { text: 0, json: 1, deleted: 2 } as const;

/** Of a UUIDv7: the end of its time in milliseconds, of which a conversation has few messages. */
export const idPrefix = (id: string): string => `substr(${id}, 3, 4)`;

/**
 * A row a conversation, joined with its members at read. Conversations and people have numbers of this file alone. A row is
 * a function of one stream; what another says of it (the author is erased, the asking user blocks it) is joined at read.
 *
 * `place` is that of the last change by the stream a row belongs to; of a message it is that of its sending, so messages lie
 * in the order of the log and those of one conversation in that of their seqs. What came of a message later lies in
 * `change`, a row for each message that has any. `message_by_seq` holds what unread counting needs, so that it reads no
 * message. The id of a send holds its client's time, so the server's is stored as the little by
 * which it is later, and it is found by it, where the newest are; those of other
 * commands stand in `command`.
 */
const schema = `
  CREATE TABLE position (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    log TEXT NOT NULL, n INTEGER NOT NULL, place INTEGER NOT NULL, event_n INTEGER, event_id TEXT
  ) STRICT;
  CREATE TABLE parked (
    stream TEXT PRIMARY KEY, n INTEGER NOT NULL, revision INTEGER NOT NULL, error TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE user (
    no INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,
    registered INTEGER NOT NULL DEFAULT 0, erased INTEGER NOT NULL DEFAULT 0,
    display_name TEXT, status_text TEXT,
    place INTEGER NOT NULL DEFAULT 0, blocks_place INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX user_by_place ON user (place) WHERE place > 0;
  CREATE TABLE erasing (user INTEGER PRIMARY KEY) STRICT;
  CREATE TABLE conversation (
    no INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,
    kind INTEGER NOT NULL DEFAULT 0, name TEXT, members INTEGER NOT NULL DEFAULT 0,
    seq INTEGER NOT NULL DEFAULT 0, revision INTEGER NOT NULL DEFAULT -1, place INTEGER NOT NULL DEFAULT 0,
    described_place INTEGER NOT NULL DEFAULT 0, changed_place INTEGER NOT NULL DEFAULT 0,
    active_place INTEGER NOT NULL DEFAULT 0, active_at INTEGER NOT NULL DEFAULT 0,
    marks_place INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE member (
    conversation INTEGER NOT NULL, user INTEGER NOT NULL,
    role INTEGER, since INTEGER NOT NULL, rank INTEGER NOT NULL, visible_from INTEGER NOT NULL,
    joined_place INTEGER NOT NULL, place INTEGER NOT NULL,
    by INTEGER NOT NULL, at INTEGER NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (conversation, user)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX member_by_user ON member (user);
  CREATE TABLE mark (
    conversation INTEGER NOT NULL, user INTEGER NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0, delivered_at INTEGER,
    read INTEGER NOT NULL DEFAULT 0, read_at INTEGER,
    own INTEGER NOT NULL DEFAULT 0, own_at INTEGER,
    PRIMARY KEY (conversation, user)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE setting (
    user INTEGER NOT NULL, conversation INTEGER NOT NULL,
    muted_until INTEGER NOT NULL, pinned INTEGER NOT NULL, archived_at INTEGER, place INTEGER NOT NULL,
    PRIMARY KEY (user, conversation)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE block (
    user INTEGER NOT NULL, blocked INTEGER NOT NULL, PRIMARY KEY (user, blocked)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE presence (
    user INTEGER PRIMARY KEY, online INTEGER NOT NULL DEFAULT 0, last_seen INTEGER,
    availability INTEGER NOT NULL DEFAULT 0, status TEXT, version INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX presence_online ON presence (user) WHERE online = 1;
  CREATE TABLE message (
    place INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL, seq INTEGER NOT NULL, sender INTEGER NOT NULL, state INTEGER NOT NULL,
    id BLOB NOT NULL, time_after_id INTEGER NOT NULL, reply_to INTEGER, revision_ahead INTEGER NOT NULL, content TEXT
  ) STRICT;
  CREATE INDEX message_by_seq ON message (conversation, seq, sender, state);
  CREATE INDEX message_by_id ON message (conversation, ${idPrefix('id')});
  CREATE TABLE change (
    message INTEGER PRIMARY KEY, conversation INTEGER NOT NULL, place INTEGER NOT NULL,
    version INTEGER NOT NULL, at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX change_by_place ON change (conversation, place);
  CREATE TABLE command (
    conversation INTEGER NOT NULL, id BLOB NOT NULL, revision INTEGER NOT NULL,
    PRIMARY KEY (conversation, id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE sent (
    conversation INTEGER NOT NULL, bucket INTEGER NOT NULL, sender INTEGER NOT NULL, messages INTEGER NOT NULL,
    PRIMARY KEY (conversation, bucket, sender)
  ) STRICT, WITHOUT ROWID;
`;

export const openInboxForWriting = (path: string): DatabaseSync => {
  const db = openSqliteFile({ path, applicationId: 0x7061696e, synchronous: 'NORMAL', schema, schemaVersion: 5 });
  db.exec('PRAGMA wal_autocheckpoint = 8000; PRAGMA cache_size = -32768');
  return db;
};

export const openInboxForReading = (path: string): DatabaseSync =>
  new DatabaseSync(path, { readOnly: true, timeout: 5_000 });

export type Row = Record<string, SQLOutputValue>;

const bytesIn = (row: Row, column: string): Buffer => {
  const value = row[column];
  if (!(value instanceof Uint8Array)) throw new Error('a column holds no bytes');
  return bufferOf(value);
};
export const userIdIn = (row: Row, column: string): UserId => userIdOf(bytesIn(row, column));
export const conversationIdIn = (row: Row, column: string): ConversationId => conversationIdOf(bytesIn(row, column));
export const commandIdIn = (row: Row, column: string): CommandId => commandIdOf(bytesIn(row, column));

export const numberIn = (row: Row, column: string): number => {
  const value = row[column];
  if (typeof value !== 'number') throw new Error(`${column} is no number`);
  return value;
};

export const numberOrNull = (row: Row, column: string): number | null =>
  row[column] === null ? null : numberIn(row, column);

export const textOrNull = (row: Row, column: string): string | null => {
  const value = row[column];
  if (value !== null && typeof value !== 'string') throw new Error(`${column} is no text`);
  return value;
};
