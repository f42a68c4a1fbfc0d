import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { orMissing, writeAtOnce } from './write-at-once.ts';

export interface LiveVersion {
  readonly file: string;
  /** When it was switched to. */
  readonly since: number;
}

const pointer = (directory: string, name: string): string => join(directory, `${name}.live`);

/** Which file of a read model is asked. Undefined: nobody ever switched. */
export const readLiveVersion = async (directory: string, name: string): Promise<LiveVersion | undefined> => {
  const path = pointer(directory, name);
  const file = await orMissing(readFile(path, 'utf8'));
  return file === undefined ? undefined : { file: file.trim(), since: (await stat(path)).mtimeMs };
};

export const writeLiveVersion = (directory: string, name: string, file: string): Promise<void> =>
  writeAtOnce(pointer(directory, name), `${file}\n`);
