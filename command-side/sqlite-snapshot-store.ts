import { rm } from 'node:fs/promises';
import type { Snapshot, SnapshotStore } from './snapshot-store.ts';
import type { SnapshotCalls } from './sqlite-snapshot-writer.ts';
import { startSqliteWorker, type SqliteWorker } from './sqlite-worker.ts';
import type { Warn } from './warn.ts';

const start = (path: string): Promise<SqliteWorker<SnapshotCalls>> =>
  startSqliteWorker(new URL('./sqlite-snapshot-writer.ts', import.meta.url), { path });

/** Snapshots in one SQLite file; a file that cannot be opened is thrown away, for all of it can be made again. */
export const openSqliteSnapshotStore = async (path: string, warn: Warn): Promise<SnapshotStore> => {
  const worker = await start(path).catch(async (error: unknown) => {
    warn({ err: error, path }, 'the snapshots were damaged and are made again');
    await Promise.all(['', '-wal', '-shm'].map((suffix) => rm(`${path}${suffix}`, { force: true })));
    return start(path);
  });
  return {
    async load(stream): Promise<Snapshot | undefined> {
      try {
        return await worker.call('load', stream);
      } catch (error) {
        warn({ err: error, stream }, 'a snapshot could not be read');
        return undefined;
      }
    },
    async save(stream, snapshot) {
      try {
        await worker.call('save', { stream, snapshot });
      } catch (error) {
        warn({ err: error, stream }, 'a snapshot could not be written');
      }
    },
    close: () => worker.close(),
  };
};
