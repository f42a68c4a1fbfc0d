import type { ClientStorage, Json } from './storage.ts';

/** Lives as long as `kept`: for tests, and for clients that may begin anew. */
export const memoryStorage = (kept = new Map<string, Json>()): ClientStorage => ({
  load: async () => new Map(kept),
  async commit(changes) {
    for (const [key, value] of changes) {
      if (value === null) kept.delete(key);
      else kept.set(key, value);
    }
  },
  close: async () => undefined,
});
