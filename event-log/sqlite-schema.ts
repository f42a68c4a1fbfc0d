import { DatabaseSync, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { LogDamaged, LogUnusable } from './event-log.ts';
import { unusable } from './sqlite-errors.ts';

/** "PRLY", so that another program's file is not taken for ours. */
const applicationId = 0x50524c59;
/** A file of the second format holds a copy, with tables that say what each event was copied from; any other is of the first. */
const formats = { log: 1, copy: 2 } as const;
type Format = keyof typeof formats;

/** The versions before it can corrupt a WAL that two connections write or checkpoint (sqlite.org/wal.html#walresetbug). */
const leastSqlite = [3, 51, 3] as const;

/**
 * `type`, `keys`, `data` and `ciphertext` are the envelope's parts; `version` is twice the envelope's version plus its
 * critical bit. The position is the rowid: it is dense, because the one writer counts it.
 */
const schema = `
  CREATE TABLE stream (no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE event_type (no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE event (
    position INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    id BLOB NOT NULL,
    type INTEGER NOT NULL,
    version INTEGER NOT NULL,
    time INTEGER NOT NULL,
    keys BLOB NOT NULL,
    data BLOB NOT NULL,
    ciphertext BLOB NOT NULL,
    link BLOB NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX event_of_stream ON event (stream, revision);
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${formats.log};
`;
const schemaOfCopy = `
  CREATE TABLE copied_log (no INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE) STRICT;
  CREATE TABLE copied (position INTEGER PRIMARY KEY, log INTEGER NOT NULL, n INTEGER NOT NULL) STRICT;
  PRAGMA user_version = ${formats.copy};
`;

export type Row = Record<string, SQLOutputValue>;

export const integerIn = (row: Row | undefined, column: string): number => {
  const value = row?.[column];
  if (typeof value !== 'number') throw new LogDamaged(`${column} is not a number`);
  return value;
};

export const textIn = (row: Row | undefined, column: string): string => {
  const value = row?.[column];
  if (typeof value !== 'string') throw new LogDamaged(`${column} is not a text`);
  return value;
};

export const bytesIn = (row: Row | undefined, column: string): Uint8Array => {
  const value = row?.[column];
  if (!(value instanceof Uint8Array)) throw new LogDamaged(`${column} holds no bytes`);
  return value;
};

export const refuseOldSqlite = (version: string | undefined): void => {
  const parts = (version ?? '').split('.').map(Number);
  for (const [index, least] of leastSqlite.entries()) {
    const part = parts[index] ?? 0;
    if (part > least) return;
    if (part < least) {
      throw new LogUnusable(`SQLite ${version ?? 'of unknown version'} is too old: ${leastSqlite.join('.')} is needed`);
    }
  }
};

const pragma = (database: DatabaseSync, name: string): SQLOutputValue | undefined =>
  database.prepare(`PRAGMA ${name}`).get()?.[name];

/** Undefined if the file holds nothing at all. */
const formatIn = (database: DatabaseSync, file: string): Format | undefined => {
  const found = pragma(database, 'application_id');
  const version = pragma(database, 'user_version');
  if (found === applicationId) {
    if (version === formats.log) return 'log';
    if (version === formats.copy) return 'copy';
    throw new LogUnusable(`${file} has format ${String(version)}; this Parley reads formats up to ${formats.copy}`);
  }
  if (found === 0 && database.prepare('SELECT 1 FROM sqlite_schema').get() === undefined) return undefined;
  throw new LogUnusable(`${file} belongs to another program`);
};

export const openForWriting = (file: string): DatabaseSync => {
  try {
    const database = new DatabaseSync(file, { timeout: 1_000 });
    const exists = formatIn(database, file) !== undefined;
    if (database.prepare('PRAGMA journal_mode = WAL').get()?.['journal_mode'] !== 'wal') {
      throw new LogUnusable(`${file} lies on a file system that has no shared memory, which a WAL needs`);
    }
    database.exec('PRAGMA synchronous = FULL');
    // The writer checkpoints by itself, after the answers have left and where it sees what fails.
    database.exec('PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -32768');
    if (!exists) database.exec(`BEGIN IMMEDIATE; ${schema} COMMIT`);
    return database;
  } catch (cause) {
    throw unusable(file, cause);
  }
};

/** Makes the file of a copy where there is none yet. */
export const makeCopyFile = (file: string): void => {
  try {
    const database = new DatabaseSync(file, { timeout: 1_000 });
    try {
      const format = formatIn(database, file);
      if (format === 'log') throw new LogUnusable(`${file} holds a log that is no copy`);
      database.exec('PRAGMA synchronous = FULL');
      if (format === undefined) database.exec(`BEGIN IMMEDIATE; ${schema} ${schemaOfCopy} COMMIT`);
    } finally {
      database.close();
    }
  } catch (cause) {
    throw unusable(file, cause);
  }
};

export interface OpenedForReading {
  readonly database: DatabaseSync;
  readonly holdsCopy: boolean;
}

export const openForReading = (file: string): OpenedForReading => {
  try {
    const database = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
    const format = formatIn(database, file);
    if (format === undefined) throw new LogUnusable(`${file} is empty`);
    return { database, holdsCopy: format === 'copy' };
  } catch (cause) {
    throw unusable(file, cause);
  }
};

export const lastPosition = (database: DatabaseSync): number =>
  integerIn(database.prepare('SELECT coalesce(max(position), 0) AS n FROM event').get(), 'n');

export const streamNumber = (database: DatabaseSync): StatementSync =>
  database.prepare('SELECT no FROM stream WHERE name = ?');
