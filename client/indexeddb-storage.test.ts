// An IndexedDB in memory that follows the standard; no browser runs here.
import 'fake-indexeddb/auto';
import { expect, test } from 'vitest';
import { indexedDbStorage } from './indexeddb-storage.ts';
import { storageContract } from './storage.contract.ts';

let count = 0;

storageContract('IndexedDB', async () => {
  const name = `storage ${count++}`;
  return () => indexedDbStorage(name);
});

test('belongs to one tab at a time, where the browser has locks', async () => {
  const held = new Set<string>();
  const locks = {
    async request(name: string, _options: unknown, hold: (lock: unknown) => Promise<void>): Promise<void> {
      if (held.has(name)) return hold(null);
      held.add(name);
      await hold({});
      held.delete(name);
    },
  };
  const storage = await indexedDbStorage('tabs', undefined, locks);
  await expect(indexedDbStorage('tabs', undefined, locks)).rejects.toThrow('another tab');
  await storage.close();
  const again = await indexedDbStorage('tabs', undefined, locks);
  await again.close();
});
