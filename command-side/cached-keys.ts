import { createSecretKey } from 'node:crypto';
import type { DataKey } from '../event-log/data-keys.ts';
import type { KeySubject } from '../schemas/events.ts';
import type { AccountsStore } from './accounts-store.ts';
import { leastRecentlyUsed } from './least-recently-used.ts';

/** A key as a store holds it. */
export interface StoredKey {
  readonly subject: KeySubject;
  readonly name: string;
  readonly key: Uint8Array;
}

export interface CreatedKey {
  readonly outcome: 'created' | 'exists' | 'destroyed';
  /** Undefined where it was destroyed. */
  readonly key: StoredKey | undefined;
}

/** Where the keys are kept, by questions whose answers may overtake each other. */
export interface KeySource {
  find(subject: KeySubject): Promise<StoredKey | undefined>;
  findNamed(names: readonly string[]): Promise<readonly StoredKey[]>;
  create(subject: KeySubject): Promise<CreatedKey>;
  destroy(subject: KeySubject): Promise<void>;
}

type Keys = Pick<AccountsStore, 'keyInMemory' | 'keyOf' | 'keysNamed' | 'createKey' | 'destroyKey'>;

/** The keys of a source, with those used last in memory. */
export const cachedKeys = (source: KeySource, most: number): Keys => {
  const bySubject = leastRecentlyUsed<KeySubject, DataKey>(most);
  /** The same keys by name. */
  const byName = new Map<string, DataKey>();
  const asking = new Set<Promise<unknown>>();
  /** How often each is being destroyed, up to the answer of the last question that was asked before it was. */
  const destroying = new Map<KeySubject, number>();

  const remember = ({ subject, name, key }: StoredKey): DataKey | undefined => {
    // An answer that was on its way before a key was destroyed must not bring it back into memory.
    if (destroying.has(subject)) return undefined;
    const dataKey = bySubject.get(subject) ?? { name, key: createSecretKey(key) };
    key.fill(0);
    const forgotten = bySubject.set(subject, dataKey);
    if (forgotten !== undefined) byName.delete(forgotten.name);
    byName.set(name, dataKey);
    return dataKey;
  };

  const asked = async <Answer>(question: Promise<Answer>): Promise<Answer> => {
    asking.add(question);
    try {
      return await question;
    } finally {
      asking.delete(question);
    }
  };

  const count = (subject: KeySubject, by: 1 | -1): void => {
    const left = (destroying.get(subject) ?? 0) + by;
    if (left === 0) destroying.delete(subject);
    else destroying.set(subject, left);
  };

  return {
    keyInMemory: (subject) => bySubject.get(subject),
    async keyOf(subject) {
      const known = bySubject.get(subject);
      if (known !== undefined) return known;
      const stored = await asked(source.find(subject));
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
      for (const stored of await asked(source.findNamed(missing))) {
        const dataKey = remember(stored);
        if (dataKey !== undefined) found.set(dataKey.name, dataKey);
      }
      return found;
    },
    async createKey(subject) {
      const { outcome, key } = await asked(source.create(subject));
      if (key !== undefined && remember(key) === undefined) return 'destroyed';
      return outcome;
    },
    async destroyKey(subject) {
      count(subject, 1);
      const known = bySubject.delete(subject);
      if (known !== undefined) byName.delete(known.name);
      try {
        await source.destroy(subject);
      } finally {
        void Promise.allSettled(asking).then(() => count(subject, -1));
      }
    },
  };
};
