import { createSecretKey } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { DataKey } from '../event-log/data-keys.ts';
import type { KeySubject } from '../schemas/events.ts';
import { AccountsUnusable, type AccountsStore } from './accounts-store.ts';
import { leastRecentlyUsed } from './least-recently-used.ts';
import type { AccountsCalls, StoredKey } from './sqlite-accounts-writer.ts';
import { startSqliteWorker, type SqliteWorker } from './sqlite-worker.ts';

export interface SqliteAccountsOptions {
  readonly path: string;
  /** A log whose accounts are missing is not readable: then a new file would hide the loss. */
  readonly whenMissing: 'create' | 'refuse';
  /** Keys held in memory. */
  readonly cachedKeys: number;
}

const open = async ({ path, whenMissing }: SqliteAccountsOptions): Promise<SqliteWorker<AccountsCalls>> => {
  if (whenMissing === 'refuse' && !existsSync(path)) {
    throw new AccountsUnusable(`${path} is missing: without its keys the event log cannot be read`);
  }
  try {
    return await startSqliteWorker(new URL('./sqlite-accounts-writer.ts', import.meta.url), { path });
  } catch (cause) {
    throw new AccountsUnusable(`cannot open ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
};

/** Keys, tombstones and the install key in one SQLite file, every change fsynced. */
export const openSqliteAccountsStore = async (options: SqliteAccountsOptions): Promise<AccountsStore> => {
  const worker = await open(options);
  const installKey = await worker.call('installKey', null);
  const bySubject = leastRecentlyUsed<KeySubject, DataKey>(options.cachedKeys);
  /** The same keys by name. */
  const byName = new Map<string, DataKey>();
  /** An answer that left the worker before a key was destroyed must not bring it back into memory. */
  const destroying = new Set<KeySubject>();

  const remember = ({ subject, name, key }: StoredKey): DataKey | undefined => {
    if (destroying.has(subject)) return undefined;
    const dataKey = bySubject.get(subject) ?? { name, key: createSecretKey(key) };
    key.fill(0);
    const forgotten = bySubject.set(subject, dataKey);
    if (forgotten !== undefined) byName.delete(forgotten.name);
    byName.set(name, dataKey);
    return dataKey;
  };

  return {
    installKey,
    failed: worker.failed,
    keyInMemory: (subject) => bySubject.get(subject),
    async keyOf(subject) {
      const known = bySubject.get(subject);
      if (known !== undefined) return known;
      const stored = await worker.call('keyOf', subject);
      return stored && remember(stored);
    },
    async keysNamed(names) {
      const found = new Map<string, DataKey>();
      const missing: string[] = [];
      for (const name of names) {
        const known = byName.get(name);
        if (known === undefined) missing.push(name);
        else found.set(name, known);
      }
      if (missing.length === 0) return found;
      for (const stored of await worker.call('keysNamed', missing)) {
        const dataKey = remember(stored);
        if (dataKey !== undefined) found.set(dataKey.name, dataKey);
      }
      return found;
    },
    async createKey(subject) {
      const { outcome, key } = await worker.call('createKey', subject);
      if (key !== undefined && remember(key) === undefined) return 'destroyed';
      return outcome;
    },
    async destroyKey(subject) {
      destroying.add(subject);
      const known = bySubject.delete(subject);
      if (known !== undefined) byName.delete(known.name);
      try {
        await worker.call('destroyKey', subject);
      } finally {
        destroying.delete(subject);
      }
    },
    destroyed: () => worker.call('destroyed', null),
    erasedThrough: () => worker.call('erasedThrough', null),
    async storeErasedThrough(position) {
      await worker.call('storeErasedThrough', position);
    },
    close: () => worker.close(),
  };
};
