import type { DatabaseSync } from 'node:sqlite';
import { openSqliteFile } from '../command-side/sqlite-file.ts';
import type { MessageContent } from '../schemas/content.ts';

/**
 * Messages lie under their place in the log, so the newest come first without sorting. Their words lie in one FTS5
 * table for each 65,536 places: the beginning of a word is looked up whole in a table before its first row comes out,
 * and what was erased is merged away table by table; both stay short however long the history. A table that takes no more
 * messages is packed: merged into one piece, which is a quarter smaller.
 * Ids are stored once and then called by a small key.
 */
const schema = `
  CREATE TABLE progress (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    log TEXT NOT NULL,
    n INTEGER NOT NULL,
    place INTEGER NOT NULL,
    event_n INTEGER,
    event_id TEXT
  ) STRICT;
  CREATE TABLE parked (stream TEXT PRIMARY KEY, n INTEGER NOT NULL, revision INTEGER NOT NULL, error TEXT NOT NULL)
    STRICT, WITHOUT ROWID;
  CREATE TABLE conversations (key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, parked INTEGER NOT NULL DEFAULT 0) STRICT;
  CREATE TABLE users (key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, erased INTEGER NOT NULL DEFAULT 0) STRICT;
  CREATE TABLE members (
    user INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    visible_from INTEGER NOT NULL,
    PRIMARY KEY (user, conversation)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE blocks (user INTEGER NOT NULL, blocked INTEGER NOT NULL, PRIMARY KEY (user, blocked))
    STRICT, WITHOUT ROWID;
  CREATE TABLE messages (
    place INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    sender INTEGER NOT NULL,
    time INTEGER NOT NULL,
    type INTEGER NOT NULL,
    content TEXT NOT NULL,
    UNIQUE (conversation, seq)
  ) STRICT;
  CREATE TABLE shards (shard INTEGER PRIMARY KEY, state INTEGER NOT NULL, packed INTEGER NOT NULL DEFAULT 0) STRICT`;

/** Of `users.erased`: what an erased person wrote is found no more, lies here still, and is gone. */
export const erasure = { none: 0, goes: 1, gone: 2 } as const;

/** What the index of a shard holds beside what is found. */
export const shardState = {
  clean: 0,
  /** Words of edited and deleted messages, which FTS5 drops when it merges them. */
  holdsRemoved: 1,
  /** Words that must go from the disk now. */
  toPurge: 2,
} as const;

/** Opens the index to write it. */
export const openSearchFile = (path: string): DatabaseSync =>
  openSqliteFile({ path, applicationId: 0x70617365, synchronous: 'NORMAL', schema, schemaVersion: 3 });

const placesOfShard = 0x10000;
export const shardOf = (place: number): number => Math.floor(place / placesOfShard);
export const firstPlaceOf = (shard: number): number => shard * placesOfShard;
export const termsTable = (shard: number): string => `terms_${shard}`;

/**
 * Without a copy of the text (messages hold it), over terms that are ready (the ascii tokenizer splits at spaces and leaves
 * what is not ASCII as it is) and without their order, which would double the size: where the terms of a phrase stand is
 * seen in the text, which is read anyway to mark them. Without the sizes of texts too, so that whoever removes a message
 * says its terms.
 */
export const createTermsTable = (shard: number): string =>
  `CREATE VIRTUAL TABLE ${termsTable(shard)}
   USING fts5(words, content='', columnsize=0, tokenize='ascii', detail='none')`;

/** What `messages.type` says of a content. */
export const contentTypes = ['text', 'location'] as const satisfies readonly MessageContent['type'][];

export const storedContent = (content: MessageContent): string =>
  content.type === 'text' ? content.text : JSON.stringify(content);

export const contentIn = (type: unknown, content: unknown): MessageContent =>
  contentTypes[Number(type)] === 'text'
    ? { type: 'text', text: String(content) }
    : (JSON.parse(String(content)) as MessageContent);

/**
 * A message's conversation as one of its terms, so that the words and the chats of a person are intersected inside the
 * index. No text has such a term: it begins with a character for private use.
 */
export const chatTerm = (conversationKey: number): string => `\ue000${conversationKey}`;

export const blobOf = (id: string): Uint8Array => Buffer.from(id, 'base64url');

const buffer = (blob: unknown): Buffer => {
  if (!(blob instanceof Uint8Array)) throw new Error('the column holds no bytes');
  return Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
};
export const idOf = (blob: unknown): string => buffer(blob).toString('base64url');
