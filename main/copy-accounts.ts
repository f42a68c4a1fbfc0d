import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { AccountsUnusable } from '../command-side/accounts-store.ts';
import type { Clock } from '../command-side/clock.ts';
import { copyAccounts as copy, type CopiedAccounts } from '../command-side/copy-accounts.ts';
import type { StorePlace } from '../schemas/store-place.ts';
import { openAccounts } from './open-accounts.ts';
import { cassandraClusters } from './open-cassandra.ts';
import { seal } from './sealed.ts';
import type { StartWait } from './start-wait.ts';

export interface CopyAccountsTo {
  readonly from: StorePlace;
  readonly to: StorePlace;
  readonly clock: Clock;
  readonly starting: StartWait;
  /** Told how many subjects were copied. */
  readonly copied: (subjects: number) => void;
}

const warn = (): void => undefined;

/** Seals the accounts of a directory and copies them to another place. Cut short, the same call goes on. */
export const copyAccounts = async (given: CopyAccountsTo): Promise<CopiedAccounts> => {
  const { from, to, clock, starting, copied } = given;
  if (from.in !== 'sqlite') throw new AccountsUnusable('only accounts in SQLite can be sealed, and so copied');
  if (to.in === 'sqlite' && resolve(to.directory) === resolve(from.directory)) {
    throw new AccountsUnusable('accounts are not copied onto themselves');
  }
  await using stack = new AsyncDisposableStack();
  const { directory } = from;
  const path = join(directory, 'accounts.sqlite');
  // Before the seal: a typing error should not stop a server from starting.
  if (!existsSync(path)) throw new AccountsUnusable(`${path} is not there`);
  if (to.in === 'sqlite') await mkdir(to.directory, { recursive: true, mode: 0o700 });
  const there = to.in === 'sqlite' ? `sqlite:${resolve(to.directory)}` : `cassandra://…/${to.cluster.keyspace}`;
  await seal({ directory, part: 'accounts', to: there, now: clock.now() }, stack);
  const { openSqliteAccountsStore } = await import('../command-side/sqlite-accounts-store.ts');
  // Opened behind the seal.
  const source = await openSqliteAccountsStore({ path, whenMissing: 'refuse', cachedKeys: 10_000 });
  stack.defer(() => source.close());
  const cassandra = cassandraClusters(warn, starting, stack);
  const { installKey } = source;
  const target = await openAccounts(to, { cassandra, whenMissing: 'create', installKey, warn }, stack);
  return await copy({ source, target, copied });
};
