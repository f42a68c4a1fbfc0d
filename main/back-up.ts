import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, realpath, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import type { AccountsStore } from '../command-side/accounts-store.ts';
import type { Clock } from '../command-side/clock.ts';
import { copySqliteFile } from '../command-side/sqlite-copy.ts';
import { openSqliteLogStoreReadOnly } from '../event-log/sqlite-log-store.ts';
import { reject } from '../schemas/errors.ts';
import { addToErasedLedger, rememberDestination } from './erased-ledger.ts';
import { Refused } from './refused.ts';
import { syncDirectory, writeAtOnce } from './write-at-once.ts';

/** The log before the keys: a key that an event needs is there when the event is. */
export const backedUpFiles = ['log.sqlite', 'accounts.sqlite'] as const;

export const manifest = z.strictObject({
  format: z.literal(1),
  /** Milliseconds. */
  time: z.int(),
  /** Of the last event. */
  position: z.int().min(0),
  /** The checksum of the last event, and the link of its stream. */
  checksum: z.int(),
  link: z.string().nullable(),
  files: z.record(z.enum(backedUpFiles), z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/) })),
});
export type Manifest = z.infer<typeof manifest>;
export const manifestFile = 'manifest.json';

export interface BackUpDeps {
  readonly data: string;
  /** The directory of the log. */
  readonly logIn: string;
  /** The directory of the accounts. */
  readonly keysIn: string;
  readonly accounts: AccountsStore;
  readonly clock: Clock;
  /** Where backups go, one folder each, with the ledger beside them. */
  readonly directory: string;
}

export interface BackedUp {
  readonly backup: string;
  readonly position: number;
  /** Milliseconds. */
  readonly time: number;
}

export const sha256Of = async (path: string): Promise<string> => {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
};

/** Directories that a backup is being made in. The lock of the data keeps other processes from making one of it. */
const underWay = new Set<string>();
const retryAfterMs = 1_000;

/**
 * Copies log and keys while both are written. What is there under its name is whole. One at a time in a directory, for
 * it takes away what others left unfinished; throws `Refused` to the second.
 */
export const backUp = async (deps: BackUpDeps): Promise<BackedUp> => {
  await mkdir(deps.directory, { recursive: true, mode: 0o700 });
  const directory = await realpath(deps.directory);
  if (underWay.has(directory)) {
    const more = { limiter: 'backup', retryAfterMs };
    throw new Refused(reject('busy', 'another backup into this directory is under way', more));
  }
  underWay.add(directory);
  try {
    return await writeBackup({ ...deps, directory });
  } finally {
    underWay.delete(directory);
  }
};

const writeBackup = async ({ data, logIn, keysIn, accounts, clock, directory }: BackUpDeps): Promise<BackedUp> => {
  const time = clock.now();
  const backup = join(directory, `backup-${new Date(time).toISOString().replaceAll(/[:.]/g, '-')}`);
  const unfinished = `${backup}.unfinished`;
  for (const left of await readdir(directory)) {
    if (left.endsWith('.unfinished')) await rm(join(directory, left), { recursive: true });
  }
  await mkdir(unfinished, { mode: 0o700 });
  const from = { 'log.sqlite': logIn, 'accounts.sqlite': keysIn };
  for (const file of backedUpFiles) await copySqliteFile(join(from[file], file), join(unfinished, file));

  const files = {
    'log.sqlite': { sha256: await sha256Of(join(unfinished, 'log.sqlite')) },
    'accounts.sqlite': { sha256: await sha256Of(join(unfinished, 'accounts.sqlite')) },
  };
  const head = await headOf(unfinished);
  const written: Manifest = { format: 1, time, ...head, files };
  await writeAtOnce(join(unfinished, manifestFile), `${JSON.stringify(written, undefined, 2)}\n`);
  // Before the backup has its name: a backup without a ledger cannot be restored.
  await rememberDestination(data, directory);
  await addToErasedLedger(directory, await accounts.destroyed());
  await rename(unfinished, backup);
  await syncDirectory(directory);
  return { backup, position: head.position, time };
};

const headOf = async (directory: string): Promise<Pick<Manifest, 'position' | 'checksum' | 'link'>> => {
  const store = await openSqliteLogStoreReadOnly({ directory });
  try {
    const position = store.head();
    const [last] = await store.readAll(position - 1, 1);
    if (last === undefined) throw new Error('the copy of the log holds no event');
    const link = last.link.length === 0 ? null : Buffer.from(last.link).toString('base64url');
    return { position, checksum: last.checksum, link };
  } finally {
    await store.close();
  }
};

/** What a backup says of itself. Throws `Refused` for what is none. */
export const readManifest = async (from: string): Promise<Manifest> => {
  const text = await readFile(join(from, manifestFile), 'utf8').catch((cause: unknown) => {
    throw new Refused(reject('invalid', `${from} is no backup: ${cause instanceof Error ? cause.message : ''}`));
  });
  const parsed = manifest.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw new Refused(reject('invalid', `${join(from, manifestFile)} is not understood`));
};

/** The name of the newest backup in a directory, for their names are their times. */
export const newestBackupIn = async (directory: string): Promise<string | undefined> =>
  (await readdir(directory))
    .filter((name) => /^backup-.*Z$/.test(name))
    .toSorted()
    .at(-1);
