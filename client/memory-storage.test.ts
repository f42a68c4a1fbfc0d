import { memoryStorage } from './memory-storage.ts';
import { storageContract } from './storage.contract.ts';
import type { Json } from './storage.ts';

storageContract('memory', async () => {
  const kept = new Map<string, Json>();
  return async () => memoryStorage(kept);
});
