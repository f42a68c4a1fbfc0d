import { closeSync, existsSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

export interface SqliteFile {
  readonly path: string;
  /** Written into the file's header, so that a foreign file is told from a damaged one. */
  readonly applicationId: number;
  /** `FULL` fsyncs every commit; `NORMAL` may lose the last ones at a power cut and tears nothing. */
  readonly synchronous: 'FULL' | 'NORMAL';
  readonly schema: string;
  readonly schemaVersion: number;
}

const headerNumber = (db: DatabaseSync, pragma: 'application_id' | 'user_version'): number =>
  Number(db.prepare(`PRAGMA ${pragma}`).get()?.[pragma]);

/** Opens or creates a file that only its owner may read. Throws with one clear line when the file is not ours. */
export const openSqliteFile = ({
  path,
  applicationId,
  synchronous,
  schema,
  schemaVersion,
}: SqliteFile): DatabaseSync => {
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
  const db = new DatabaseSync(path, { timeout: 5_000 });
  try {
    db.exec(`PRAGMA journal_mode=WAL; PRAGMA synchronous=${synchronous}; PRAGMA secure_delete=ON`);
    const isNew = db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
    if (isNew) {
      db.exec(`BEGIN IMMEDIATE; ${schema};
        PRAGMA application_id=${applicationId}; PRAGMA user_version=${schemaVersion}; COMMIT`);
    } else if (headerNumber(db, 'application_id') !== applicationId) {
      throw new Error(`${path} was not written by Parley`);
    } else if (headerNumber(db, 'user_version') !== schemaVersion) {
      throw new Error(`${path} was written by another version of Parley (schema ${headerNumber(db, 'user_version')})`);
    }
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
};

export const inTransaction = (db: DatabaseSync, work: () => void): void => {
  db.exec('BEGIN IMMEDIATE');
  try {
    work();
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
};
