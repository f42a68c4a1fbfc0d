import { join } from 'node:path';
import type { Warn } from '../command-side/warn.ts';
import { newestBackupIn, readManifest } from './back-up.ts';
import { readDestinations } from './erased-ledger.ts';
import { orMissing } from './write-at-once.ts';

/** When the newest backup was made that this process made or found, in milliseconds. */
export interface LastBackup {
  at(): number | undefined;
  made(time: number): void;
}

/** Looks where backups of the data were put before. A place that is away tells nothing. */
export const findLastBackup = async (data: string, warn: Warn): Promise<LastBackup> => {
  let last: number | undefined;
  for (const directory of await readDestinations(data)) {
    try {
      const newest = await orMissing(newestBackupIn(directory));
      if (newest === undefined) continue;
      const { time } = await readManifest(join(directory, newest));
      last = Math.max(last ?? time, time);
    } catch (error) {
      warn({ err: error, directory }, 'the newest backup could not be read');
    }
  }
  return {
    at: () => last,
    made: (time) => void (last = Math.max(last ?? time, time)),
  };
};
