import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

export const syncDirectory = async (directory: string): Promise<void> => {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};

/** Replaces a small file at once: after a power cut it holds the old text or the new one. */
export const writeAtOnce = async (path: string, text: string): Promise<void> => {
  const written = `${path}.new`;
  const handle = await open(written, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(written, path);
  await syncDirectory(dirname(path));
};

/** Undefined: there is no such file. */
export const orMissing = async <T>(reading: Promise<T>): Promise<T | undefined> => {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
};
