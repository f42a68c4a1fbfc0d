import { accessSync, closeSync, constants, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { LogUnusable } from './event-log.ts';
import type { LogStore } from './log-store.ts';
import { refuseSealed } from './seal.ts';
import { asError, unusable } from './sqlite-errors.ts';
import { lockDirectory } from './sqlite-lock.ts';
import { startReadThread } from './sqlite-read-thread.ts';
import { makeCopyFile, refuseOldSqlite } from './sqlite-schema.ts';
import { startWriteThread } from './sqlite-write-thread.ts';

const logFile = (directory: string): string => join(directory, 'log.sqlite');

/** SQLite sees to its files and their entries in the directory; the entries of new directories are left to us. */
const makeDirectory = (directory: string): void => {
  const wanted = resolve(directory);
  const first = mkdirSync(wanted, { recursive: true });
  if (first === undefined) return;
  for (let made = wanted; ; made = dirname(made)) {
    const parent = openSync(dirname(made), 'r');
    fsyncSync(parent);
    closeSync(parent);
    if (made === first) return;
  }
};

export interface SqliteLogStoreOptions {
  /** Made if it is not there. Holds the log and its lock; other stores may lie beside them. */
  readonly directory: string;
  /** Told how long each group of appends took to be on disk. */
  readonly onDisk?: (milliseconds: number) => void;
}

/** The log in one SQLite file: this process alone writes it, and an answered append is fsynced. */
export const openSqliteLogStore = async ({ directory, onDisk }: SqliteLogStoreOptions): Promise<LogStore> => {
  refuseOldSqlite(process.versions['sqlite']);
  try {
    makeDirectory(directory);
    accessSync(directory, constants.W_OK);
  } catch (cause) {
    throw new LogUnusable(`${directory} cannot be written: ${asError(cause).message}`, { cause });
  }
  const lock = lockDirectory(directory, process.pid);
  try {
    refuseSealed(directory, 'log');
  } catch (error) {
    lock.release();
    throw error;
  }
  const reader = startReadThread(logFile(directory));
  try {
    const writer = await startWriteThread(logFile(directory), onDisk);
    let broken = false;
    void writer.failed.then(() => (broken = true));
    const giveBack = async (): Promise<void> => {
      // The last connection to close carries the WAL over, and after a fault none may: a reader cannot.
      if (!broken) await reader.close();
      await writer.close();
      await reader.close();
      lock.release();
    };
    let closed: Promise<void> | undefined;
    return {
      soleWriter: true,
      away: () => undefined,
      failed: Promise.race([writer.failed, reader.failed]),
      append: writer.append,
      head: writer.last,
      onCommitted: writer.onCommitted,
      readStream: reader.readStream,
      readAll: reader.readAll,
      close: () => (closed ??= giveBack()),
    };
  } catch (error) {
    await reader.close();
    lock.release();
    throw error;
  }
};

/** The log that a copy of another goes into: a new file, or one that a copy was begun in. */
export const openSqliteCopyStore = (options: SqliteLogStoreOptions): Promise<LogStore> => {
  refuseOldSqlite(process.versions['sqlite']);
  makeDirectory(options.directory);
  makeCopyFile(logFile(options.directory));
  return openSqliteLogStore(options);
};

/** The same file beside the process that writes it: up to what was committed when it was opened. */
export const openSqliteLogStoreReadOnly = async ({ directory }: SqliteLogStoreOptions): Promise<LogStore> => {
  refuseOldSqlite(process.versions['sqlite']);
  const file = logFile(directory);
  if (!existsSync(file)) throw new LogUnusable(`${file} is not there`);
  const reader = startReadThread(file);
  try {
    const head = await reader.last();
    return {
      soleWriter: false,
      away: () => undefined,
      failed: reader.failed,
      append: () => Promise.resolve({ outcome: 'refused', why: 'closed' }),
      head: () => head,
      onCommitted: () => undefined,
      readStream: reader.readStream,
      readAll: async (after, limit) => {
        const events = await reader.readAll(after, Math.min(limit, Math.max(head - after, 0)));
        return events;
      },
      close: reader.close,
    };
  } catch (cause) {
    await reader.close();
    throw unusable(file, cause);
  }
};
