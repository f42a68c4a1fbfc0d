import { copyFile, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { eraseUser } from '../command-side/erase-user.ts';
import { randomPool } from '../command-side/random-pool.ts';
import { openSqliteAccountsStore } from '../command-side/sqlite-accounts-store.ts';
import { startEpoch } from '../event-log/epochs.ts';
import { openEventLog } from '../event-log/open-event-log.ts';
import { openSqliteLogStore } from '../event-log/sqlite-log-store.ts';
import { reject } from '../schemas/errors.ts';
import type { KeySubject } from '../schemas/events.ts';
import { userId } from '../schemas/ids.ts';
import { backedUpFiles, newestBackupIn, readManifest, sha256Of } from './back-up.ts';
import { readErasedLedger } from './erased-ledger.ts';
import { Refused } from './refused.ts';

export interface Restore {
  /** Where backups lie, with the ledger of erased users. */
  readonly directory: string;
  /** A new data directory. */
  readonly data: string;
  /** The name of a backup in the directory; undefined: the newest. */
  readonly backup: string | undefined;
}

export interface Restored {
  readonly backup: string;
  readonly position: number;
  readonly erasedSince: number;
}

const clock = { now: () => Date.now(), monotonic: () => performance.now() };
const refuse = (why: string): never => {
  throw new Refused(reject('invalid', why));
};

/**
 * Makes a data directory from a backup. Whoever was erased since stays erased: their keys are destroyed before anything
 * can be read with them. A new epoch begins, so that nobody takes what follows for the tail that was lost; read models are
 * built anew by the first start.
 */
export const restore = async ({ directory, data, backup }: Restore): Promise<Restored> => {
  const erased = await readErasedLedger(directory);
  const name = backup ?? (await newestIn(directory));
  const from = join(directory, name);
  const { position, files } = await readManifest(from);
  for (const file of backedUpFiles) {
    if ((await sha256Of(join(from, file))) !== files[file].sha256) refuse(`${join(from, file)} is damaged`);
  }
  await makeEmpty(data);
  try {
    for (const file of backedUpFiles) await copyDurably(join(from, file), join(data, file));
    const erasedSince = await begin(data, erased);
    return { backup: name, position, erasedSince };
  } catch (error) {
    // Half of it must not look like data; what could be lost here is a copy.
    await rm(data, { recursive: true });
    throw error;
  }
};

const newestIn = async (directory: string): Promise<string> =>
  (await newestBackupIn(directory)) ?? refuse(`there is no backup in ${directory}`);

const makeEmpty = async (data: string): Promise<void> => {
  await mkdir(data, { recursive: true, mode: 0o700 });
  if ((await readdir(data)).length > 0) refuse(`${data} is not empty`);
};

const copyDurably = async (from: string, to: string): Promise<void> => {
  await copyFile(from, to);
  const file = await open(to, 'r+');
  try {
    await file.chmod(0o600);
    await file.sync();
  } finally {
    await file.close();
  }
};

/** Answers with how many users were erased after the backup. */
const begin = async (data: string, erased: readonly KeySubject[]): Promise<number> => {
  const randomBytes = randomPool();
  const path = join(data, 'accounts.sqlite');
  await using stack = new AsyncDisposableStack();
  const accounts = await openSqliteAccountsStore({ path, whenMissing: 'refuse', cachedKeys: 1_000 });
  stack.defer(() => accounts.close());
  const before = new Set(await accounts.destroyed());
  for (const subject of erased) await accounts.destroyKey(subject);

  const store = await openSqliteLogStore({ directory: data });
  const eventLog = await openEventLog({ store, keys: accounts, clock, randomBytes });
  stack.defer(() => eventLog.close());
  const started = await startEpoch(eventLog, 'restored', { clock, randomBytes });
  if (started.outcome !== 'appended') throw new Error(`the new epoch could not begin: ${started.outcome}`);
  const users = erased.flatMap((subject) => (subject.startsWith('user:') ? [userId.parse(subject.slice(5))] : []));
  for (const user of users) {
    const outcome = await eraseUser({ eventLog, clock, randomBytes }, user);
    const isThere = outcome.outcome !== 'rejected' || outcome.rejection.code === 'user_not_found';
    if (!isThere) throw new Error(`${user} could not be erased again: ${outcome.rejection.message}`);
  }
  return users.filter((user) => !before.has(`user:${user}`)).length;
};
