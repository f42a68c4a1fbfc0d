import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LogUnusable } from './event-log.ts';
import { sqliteFault, unusable } from './sqlite-errors.ts';

export interface DirectoryLock {
  release(): void;
}

const ownerIn = (file: string): string => {
  try {
    return `process ${readFileSync(file, 'utf8').trim()}`;
  } catch {
    return 'another process';
  }
};

/**
 * Makes this process the only one that writes in a directory. The lock is SQLite's own on an empty database, so the
 * system gives it back however the process ends. The owner stands in a file beside it, for people.
 */
export const lockDirectory = (directory: string, pid: number): DirectoryLock => {
  const file = join(directory, 'log.lock');
  const ownerFile = `${file}.owner`;
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(file);
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (cause) {
    if (sqliteFault(cause) !== 'busy') throw unusable(file, cause);
    throw new LogUnusable(`${directory} is in use by ${ownerIn(ownerFile)}, which holds ${file}`, { cause });
  }
  try {
    writeFileSync(ownerFile, `${pid}\n`);
  } catch {
    // A full disk is no reason not to start; better no name than that of the last owner.
    rmSync(ownerFile, { force: true });
  }
  return {
    release: () => {
      rmSync(ownerFile, { force: true });
      database.close();
    },
  };
};
