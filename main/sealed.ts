import { existsSync } from 'node:fs';
import { LogUnusable } from '../event-log/event-log.ts';
import { readSeal, refuseSealed, removeSeal, writeSeal, type Seal, type SealedPart } from '../event-log/seal.ts';

export interface Sealing {
  readonly directory: string;
  readonly part: SealedPart;
  /** Where it is copied to. */
  readonly to: string;
  readonly now: number;
}

export interface Sealed {
  /** The copy goes on by itself from now on: nobody may open the seal any more. */
  finish(): void;
}

const withoutPassword = (url: string): string => url.replace(/\/\/[^@/]*@/, '//');

const lock = async (directory: string): Promise<{ release(): void }> => {
  const { lockDirectory } = await import('../event-log/sqlite-lock.ts');
  if (!existsSync(directory)) throw new LogUnusable(`${directory} is not there`);
  return lockDirectory(directory, process.pid);
};

/**
 * Takes the lock of a directory until `stack` is unwound, and seals a part of it: whoever would write to that afterwards is
 * refused. The seal stays, also where the copy is cut short.
 */
export const seal = async (
  { directory, part, to: url, now }: Sealing,
  stack: AsyncDisposableStack,
): Promise<Sealed> => {
  const held = await lock(directory);
  stack.defer(() => held.release());
  const to = withoutPassword(url);
  const before = readSeal(directory, part);
  if (before?.isForEver === true && before.to !== to) refuseSealed(directory, part);
  const since = before?.since ?? new Date(now).toISOString();
  const sealed: Seal = { to, since, isForEver: before?.isForEver ?? false };
  writeSeal(directory, part, sealed);
  return { finish: () => writeSeal(directory, part, { ...sealed, isForEver: true }) };
};

/** Gives up copies that are not finished. False: nothing in the directory is sealed. */
export const unseal = async (directory: string): Promise<boolean> => {
  const held = await lock(directory);
  try {
    const parts: readonly SealedPart[] = ['log', 'accounts'];
    const sealed = parts.filter((part) => readSeal(directory, part) !== undefined);
    for (const part of sealed) if (readSeal(directory, part)?.isForEver === true) refuseSealed(directory, part);
    for (const part of sealed) removeSeal(directory, part);
    return sealed.length > 0;
  } finally {
    held.release();
  }
};
