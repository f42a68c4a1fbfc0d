import { join } from 'node:path';
import type { Warn } from '../command-side/warn.ts';
import { newestBackupIn, readManifest } from './back-up.ts';
import { readDestinations } from './erased-ledger.ts';
import { orMissing } from './write-at-once.ts';

/** When the newest backup was made that this process made or found, in milliseconds. */
export interface LastBackup {
  at(): number | undefined;
  readonly made: (time: number) => void;
}

/**
 * Looks where backups of the data were put before, beside what else is done: a place that is slow or away holds nothing up,
 * and tells nothing.
 */
export const findLastBackup = (data: string, warn: Warn): LastBackup => {
  let last: number | undefined;
  const made = (time: number): void => void (last = Math.max(last ?? time, time));

  const lookIn = async (directory: string): Promise<void> => {
    try {
      const newest = await orMissing(newestBackupIn(directory));
      if (newest !== undefined) made((await readManifest(join(directory, newest))).time);
    } catch (error) {
      warn({ err: error, directory }, 'the newest backup could not be read');
    }
  };
  readDestinations(data).then(
    (directories) => directories.forEach((directory) => void lookIn(directory)),
    (error: unknown) => warn({ err: error }, 'where backups were put could not be read'),
  );
  return { at: () => last, made };
};
