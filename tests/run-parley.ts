import { execFile } from 'node:child_process';
import { join } from 'node:path';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** `parley …` as a process of its own, for the data given. */
export const runParley = (
  data: string,
  words: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): Promise<Ran> =>
  new Promise((resolve) => {
    const env = { PATH: process.env['PATH'] ?? '', PARLEY_DATA: data, ...settings };
    const file = join(import.meta.dirname, '..', 'cli/parley.ts');
    const child = execFile(process.execPath, [file, ...words], { env }, (_error, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
