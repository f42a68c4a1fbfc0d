import { createSecretKey } from 'node:crypto';
import type { KeySubject } from '../schemas/events.ts';
import type { DataKey, DataKeys } from './data-keys.ts';
import type { RandomBytes } from './encryption.ts';

export interface DataKeysInMemory extends DataKeys {
  create(subject: KeySubject): DataKey;
  destroy(subject: KeySubject): void;
}

/** A look-up of keys for tests: `inMemory` says whether the quick way finds them too. */
export const dataKeysInMemory = (
  randomBytes: RandomBytes,
  { inMemory }: { readonly inMemory: boolean } = { inMemory: true },
): DataKeysInMemory => {
  const bySubject = new Map<KeySubject, DataKey>();
  const byName = new Map<string, DataKey>();
  return {
    create: (subject) => {
      const name = Buffer.from(randomBytes(16)).toString('base64url');
      const key = { name, key: createSecretKey(randomBytes(32)) };
      bySubject.set(subject, key);
      byName.set(name, key);
      return key;
    },
    destroy: (subject) => {
      byName.delete(bySubject.get(subject)?.name ?? '');
      bySubject.delete(subject);
    },
    keyOf: async (subject) => bySubject.get(subject),
    keyInMemory: (subject) => (inMemory ? bySubject.get(subject) : undefined),
    keysNamed: async (names) =>
      new Map(
        [...names].flatMap((name) => {
          const key = byName.get(name);
          return key === undefined ? [] : [[name, key] as const];
        }),
      ),
  };
};
