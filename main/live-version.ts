import { closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Replaces a small file at once: after a power cut it holds the old text or the new one. */
export const writeAtOnce = (path: string, text: string): void => {
  const written = `${path}.new`;
  const file = openSync(written, 'w', 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(written, path);
  const directory = openSync(dirname(path), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
};

export interface LiveVersion {
  readonly file: string;
  /** When it was switched to. */
  readonly since: number;
}

const pointer = (directory: string, name: string): string => join(directory, `${name}.live`);

/** Which file of a read model is asked. Undefined: nobody ever switched. */
export const readLiveVersion = (directory: string, name: string): LiveVersion | undefined => {
  const path = pointer(directory, name);
  try {
    return { file: readFileSync(path, 'utf8').trim(), since: statSync(path).mtimeMs };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
};

export const writeLiveVersion = (directory: string, name: string, file: string): void =>
  writeAtOnce(pointer(directory, name), `${file}\n`);
