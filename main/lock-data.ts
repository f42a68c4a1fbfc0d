import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { LogPlace } from '../schemas/log-place.ts';

/** Takes the lock of the data directory until `stack` is unwound. A log in files locks the directory that it lies in. */
export const lockData = async (
  { data, log }: { readonly data: string; readonly log: LogPlace },
  stack: AsyncDisposableStack,
): Promise<void> => {
  if (log.in === 'sqlite' && resolve(log.directory) === resolve(data)) return;
  const { lockDirectory } = await import('../event-log/sqlite-lock.ts');
  await mkdir(data, { recursive: true });
  const lock = lockDirectory(data, process.pid);
  stack.defer(() => lock.release());
};
