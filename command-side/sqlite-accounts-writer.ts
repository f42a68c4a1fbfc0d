import { randomBytes } from 'node:crypto';
import { workerData } from 'node:worker_threads';
import type { AccountsEntry } from './accounts-store.ts';
import type { CreatedKey, StoredKey } from './cached-keys.ts';
import { inTransaction, openSqliteFile } from './sqlite-file.ts';
import { serveCalls } from './sqlite-worker.ts';
import type { KeySubject } from '../schemas/events.ts';
import type { LogId, LogPosition } from '../schemas/position.ts';

export interface AccountsCalls {
  installKey: { ask: null; answer: Uint8Array };
  createKey: { ask: KeySubject; answer: CreatedKey };
  destroyKey: { ask: KeySubject; answer: null };
  destroyed: { ask: null; answer: readonly KeySubject[] };
  erasedThrough: { ask: null; answer: LogPosition | null };
  storeErasedThrough: { ask: LogPosition; answer: null };
  keyOf: { ask: KeySubject; answer: StoredKey | undefined };
  keysNamed: { ask: readonly string[]; answer: readonly StoredKey[] };
  entriesAfter: { ask: KeySubject | null; answer: readonly AccountsEntry[] };
  takeKey: { ask: StoredKey; answer: 'taken' | 'different' };
}

// A row without name and key is the tombstone that refuses the subject a second key.
const schema = `
  CREATE TABLE install (id INTEGER PRIMARY KEY CHECK (id = 1), key BLOB NOT NULL CHECK (length(key) = 32)) STRICT;
  CREATE TABLE data_keys (
    kind TEXT NOT NULL CHECK (kind IN ('user', 'conversation')),
    id BLOB NOT NULL CHECK (length(id) = 16),
    name BLOB UNIQUE CHECK (length(name) = 16),
    key BLOB CHECK (length(key) = 32),
    CHECK ((name IS NULL) = (key IS NULL)),
    PRIMARY KEY (kind, id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE erased_through (one INTEGER PRIMARY KEY CHECK (one = 1), log TEXT NOT NULL, n INTEGER NOT NULL) STRICT`;

const entriesPage = 1_000;

const { path, installKey } = workerData as { path: string; installKey: Uint8Array | undefined };
const db = openSqliteFile({ path, applicationId: 0x70616363, synchronous: 'FULL', schema, schemaVersion: 2 });
db.prepare('INSERT OR IGNORE INTO install (id, key) VALUES (1, ?)').run(installKey ?? randomBytes(32));

const selectInstallKey = db.prepare('SELECT key FROM install');
const insertKey = db.prepare('INSERT OR IGNORE INTO data_keys (kind, id, name, key) VALUES (?, ?, ?, ?)');
const selectKey = db.prepare('SELECT kind, id, name, key FROM data_keys WHERE kind = ? AND id = ?');
const selectNamed = db.prepare('SELECT kind, id, name, key FROM data_keys WHERE name = ?');
const destroy = db.prepare(`
  INSERT INTO data_keys (kind, id, name, key) VALUES (?, ?, NULL, NULL)
  ON CONFLICT (kind, id) DO UPDATE SET name = NULL, key = NULL`);
const selectDestroyed = db.prepare('SELECT kind, id FROM data_keys WHERE key IS NULL ORDER BY kind, id');
const selectEntries = db.prepare(
  'SELECT kind, id, name, key FROM data_keys WHERE (kind, id) > (?, ?) ORDER BY kind, id LIMIT ?',
);
const selectErasedThrough = db.prepare('SELECT log, n FROM erased_through');
const setErasedThrough = db.prepare('INSERT OR REPLACE INTO erased_through (one, log, n) VALUES (1, ?, ?)');
const truncateWal = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)');

const rowOf = (subject: KeySubject): [kind: string, id: Uint8Array] => {
  const colon = subject.indexOf(':');
  return [subject.slice(0, colon), Buffer.from(subject.slice(colon + 1), 'base64url')];
};

const subjectIn = (row: Record<string, unknown>): KeySubject =>
  `${String(row['kind'])}:${Buffer.from(row['id'] as Uint8Array).toString('base64url')}` as KeySubject;

const storedKey = (row: Record<string, unknown> | undefined): StoredKey | undefined => {
  if (row === undefined || !(row['name'] instanceof Uint8Array) || !(row['key'] instanceof Uint8Array))
    return undefined;
  return {
    subject: subjectIn(row),
    name: Buffer.from(row['name']).toString('base64url'),
    key: row['key'],
  };
};
const isKey = (key: StoredKey | undefined): key is StoredKey => key !== undefined;

const [sqliteBusy, sqliteFull] = [5, 13];

serveCalls<AccountsCalls>({
  calls: {
    installKey: () => selectInstallKey.get()?.['key'] as Uint8Array,
    createKey(subject) {
      const [kind, id] = rowOf(subject);
      const created = insertKey.run(kind, id, randomBytes(16), randomBytes(32)).changes === 1;
      const key = storedKey(selectKey.get(kind, id));
      return { outcome: created ? 'created' : key === undefined ? 'destroyed' : 'exists', key };
    },
    destroyKey(subject) {
      destroy.run(...rowOf(subject));
      return null;
    },
    destroyed: () => selectDestroyed.all().map(subjectIn),
    erasedThrough() {
      const row = selectErasedThrough.get();
      return row === undefined ? null : { log: String(row['log']) as LogId, n: Number(row['n']) };
    },
    storeErasedThrough({ log, n }) {
      setErasedThrough.run(log, n);
      return null;
    },
    entriesAfter(after) {
      const [kind, id] = after === null ? ['', Buffer.alloc(0)] : rowOf(after);
      return selectEntries
        .all(kind, id, entriesPage)
        .map((row) => ({ subject: subjectIn(row), key: storedKey(row) ?? null }));
    },
    takeKey({ subject, name, key }) {
      const [kind, id] = rowOf(subject);
      insertKey.run(kind, id, Buffer.from(name, 'base64url'), key);
      const stands = storedKey(selectKey.get(kind, id));
      return stands?.name === name && Buffer.compare(stands.key, key) === 0 ? 'taken' : 'different';
    },
    keyOf: (subject) => storedKey(selectKey.get(...rowOf(subject))),
    keysNamed: (names) => names.map((name) => storedKey(selectNamed.get(Buffer.from(name, 'base64url')))).filter(isKey),
  },
  transaction: (work) => inTransaction(db, work),
  committed(names) {
    if (!names.has('destroyKey')) return;
    // Overwritten in the file, a key still stands in the WAL; a reader of another process may keep it there for now.
    if (truncateWal.get()?.['busy'] !== 0)
      throw Object.assign(new Error('a reader holds the WAL'), { errcode: sqliteBusy });
  },
  survives: (error) => {
    const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
    return code === sqliteFull || code === sqliteBusy;
  },
  close: () => db.close(),
});
