import type { SqliteCopyCalls } from './sqlite-copier.ts';
import { startSqliteWorker } from './sqlite-worker.ts';

/**
 * Copies a SQLite file as it was at one moment, also while others write it; on the disk when it resolves. For its owner
 * alone, and without what was deleted.
 */
export const copySqliteFile = async (from: string, to: string): Promise<void> => {
  const worker = await startSqliteWorker<SqliteCopyCalls>(new URL('./sqlite-copier.ts', import.meta.url), null);
  try {
    await worker.call('copy', { from, to });
  } finally {
    await worker.close();
  }
};
