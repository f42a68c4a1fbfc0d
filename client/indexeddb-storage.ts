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

declare const indexedDB: IndexedDb;
const entries = 'entries';

/** One database of the origin. A commit is a transaction; the browser keeps them in order. */
export const indexedDbStorage = async (name: string, platform?: IndexedDb): Promise<ClientStorage> => {
  const database = await openDatabase(platform ?? indexedDB, name);
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
    close: async () => database.close(),
  };
};

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
