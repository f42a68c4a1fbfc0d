// An IndexedDB in memory that follows the standard; no browser runs here.
import 'fake-indexeddb/auto';
import { indexedDbStorage } from './indexeddb-storage.ts';
import { storageContract } from './storage.contract.ts';

let count = 0;

storageContract('IndexedDB', async () => {
  const name = `storage ${count++}`;
  return () => indexedDbStorage(name);
});
