import { existsSync } from 'node:fs';
import type { KeySubject } from '../schemas/events.ts';
import { AccountsUnusable, type AccountsEntry, type AccountsStore } from './accounts-store.ts';
import { cachedKeys, type KeySource } from './cached-keys.ts';
import type { AccountsCalls } from './sqlite-accounts-writer.ts';
import { startSqliteWorker, type SqliteWorker } from './sqlite-worker.ts';

export interface SqliteAccountsOptions {
  readonly path: string;
  /** A log whose accounts are missing is not readable: then a new file would hide the loss. */
  readonly whenMissing: 'create' | 'refuse';
  /** Keys held in memory. */
  readonly cachedKeys: number;
  /** What a new file begins with, where it is to be a copy; else it makes its own. */
  readonly installKey?: Uint8Array | undefined;
}

const open = async ({ path, whenMissing, installKey }: SqliteAccountsOptions): Promise<SqliteWorker<AccountsCalls>> => {
  if (whenMissing === 'refuse' && !existsSync(path)) {
    throw new AccountsUnusable(`${path} is missing: without its keys the event log cannot be read`);
  }
  try {
    return await startSqliteWorker(new URL('./sqlite-accounts-writer.ts', import.meta.url), { path, installKey });
  } catch (cause) {
    throw new AccountsUnusable(`cannot open ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
};

/** Keys, tombstones and the install key in one SQLite file, every change fsynced. */
export const openSqliteAccountsStore = async (options: SqliteAccountsOptions): Promise<AccountsStore> => {
  const worker = await open(options);
  const source: KeySource = {
    find: (subject) => worker.call('keyOf', subject),
    findNamed: (names) => worker.call('keysNamed', names),
    create: (subject) => worker.call('createKey', subject),
    async destroy(subject) {
      await worker.call('destroyKey', subject);
    },
  };
  return {
    ...cachedKeys(source, options.cachedKeys),
    installKey: await worker.call('installKey', null),
    failed: worker.failed,
    away: () => undefined,
    destroyed: () => worker.call('destroyed', null),
    async *each() {
      for (let after: KeySubject | null = null; ;) {
        const page: readonly AccountsEntry[] = await worker.call('entriesAfter', after);
        yield* page;
        const last = page.at(-1);
        if (last === undefined) return;
        after = last.subject;
      }
    },
    takeKey: (subject, { name, key }) => worker.call('takeKey', { subject, name, key }),
    erasedThrough: () => worker.call('erasedThrough', null),
    async storeErasedThrough(position) {
      await worker.call('storeErasedThrough', position);
    },
    close: () => worker.close(),
  };
};
