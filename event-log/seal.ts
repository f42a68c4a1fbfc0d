import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { LogUnusable } from './event-log.ts';

/** What stands beside data that are being copied elsewhere, or were: nothing is written to them any more. */
const sealed = z.strictObject({
  /** Where the copy goes, without passwords. */
  to: z.string(),
  since: z.iso.datetime(),
  /** A copy may have gone on by itself: what is written here would be lost. */
  isForEver: z.boolean(),
});
export type Seal = z.infer<typeof sealed>;

/** What of a directory is sealed: the other may be in use. */
export type SealedPart = 'log' | 'accounts';

const sealFile = (directory: string, part: SealedPart): string => join(directory, `${part}.sealed`);

export const readSeal = (directory: string, part: SealedPart): Seal | undefined => {
  const file = sealFile(directory, part);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return sealed.parse(JSON.parse(text));
  } catch (cause) {
    throw new LogUnusable(`${file} is damaged, and says that the ${part} beside it was copied elsewhere`, { cause });
  }
};

const syncDirectory = (directory: string): void => {
  const handle = openSync(directory, 'r');
  fsyncSync(handle);
  closeSync(handle);
};

/** Only who holds the lock of the directory may. */
export const writeSeal = (directory: string, part: SealedPart, seal: Seal): void => {
  const written = `${sealFile(directory, part)}.new`;
  const handle = openSync(written, 'w', 0o600);
  writeSync(handle, `${JSON.stringify(seal)}\n`);
  fsyncSync(handle);
  closeSync(handle);
  renameSync(written, sealFile(directory, part));
  syncDirectory(directory);
};

export const removeSeal = (directory: string, part: SealedPart): void => {
  rmSync(sealFile(directory, part), { force: true });
  syncDirectory(directory);
};

export const refuseSealed = (directory: string, part: SealedPart): void => {
  const seal = readSeal(directory, part);
  if (seal === undefined) return;
  const { to, since, isForEver } = seal;
  const what = `the ${part} in ${directory}`;
  throw new LogUnusable(
    isForEver
      ? `${what} went to ${to} by \`parley copy-log\`, and goes on there alone`
      : `${what} is sealed since ${since} to be copied to ${to}: finish that, or give it up with \`parley unseal\``,
  );
};
