import type { ClientStorage, Json } from './storage.ts';

/** The part of IndexedDB that is used. */
export interface IndexedDb {
  open(name: string, version: number): OpenRequest;
}

interface Request<Result> {
  readonly result: Result;
  readonly error: unknown;
  onsuccess: unknown;
  onerror: unknown;
}

interface OpenRequest extends Request<Database> {
  onupgradeneeded: unknown;
  onblocked: unknown;
}

interface Database {
  createObjectStore(name: string): unknown;
  transaction(names: string, mode: 'readonly' | 'readwrite', options?: { durability: 'strict' }): Transaction;
  close(): void;
}

interface Transaction {
  readonly error: unknown;
  oncomplete: unknown;
  onabort: unknown;
  objectStore(name: string): Store;
}

interface Store {
  getAll(): Request<unknown[]>;
  getAllKeys(): Request<unknown[]>;
  put(value: Json, key: string): unknown;
  delete(key: string): unknown;
}

/** The part of the Web Locks API that is used: a lock is held until what `hold` returns has settled. */
export interface Locks {
  request(name: string, options: { ifAvailable: true }, hold: (lock: unknown) => Promise<void>): Promise<void>;
}

declare const indexedDB: IndexedDb;
declare const navigator: { readonly locks?: Locks };
const entries = 'entries';

/**
 * One database of the origin. A commit is a transaction; the browser keeps them in order. Rejects while another tab has it
 * open, where the browser has locks.
 */
export const indexedDbStorage = async (name: string, platform?: IndexedDb, locks?: Locks): Promise<ClientStorage> => {
  const release = await takeLock(locks ?? navigator.locks, `parley ${name}`);
  const database = await openDatabase(platform ?? indexedDB, name).catch((error: unknown) => {
    release();
    throw error;
  });
  return {
    async load() {
      const store = database.transaction(entries, 'readonly').objectStore(entries);
      const [keys, values] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
      return new Map(keys.map((key, index) => [String(key), values[index] as Json]));
    },
    commit: (changes) =>
      new Promise((resolve, reject) => {
        const transaction = database.transaction(entries, 'readwrite', { durability: 'strict' });
        const store = transaction.objectStore(entries);
        transaction.oncomplete = (): void => resolve();
        transaction.onabort = (): void => reject(failure(transaction.error));
        for (const [key, value] of changes) {
          if (value === null) store.delete(key);
          else store.put(value, key);
        }
      }),
    async close() {
      database.close();
      release();
    },
  };
};

/** What it resolves with gives the lock back. */
const takeLock = (locks: Locks | undefined, name: string): Promise<() => void> =>
  new Promise((resolve, reject) => {
    if (locks === undefined) {
      resolve(() => undefined);
      return;
    }
    const hold = (lock: unknown): Promise<void> => {
      if (lock === null) return Promise.reject(new Error(`${name}: another tab has it open`));
      return new Promise((release) => resolve(release));
    };
    locks.request(name, { ifAvailable: true }, hold).catch(reject);
  });

const openDatabase = (platform: IndexedDb, name: string): Promise<Database> => {
  const request = platform.open(name, 1);
  request.onupgradeneeded = (): void => void request.result.createObjectStore(entries);
  return done(request);
};

const done = <Result>(request: Request<Result>): Promise<Result> =>
  new Promise((resolve, reject) => {
    request.onsuccess = (): void => resolve(request.result);
    request.onerror = (): void => reject(failure(request.error));
  });

const failure = (cause: unknown): Error =>
  cause instanceof Error ? cause : new Error('IndexedDB failed and did not say why', { cause });
