import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { KeySubject } from '../schemas/events.ts';
import { conversationId, userId } from '../schemas/ids.ts';
import { logId } from '../schemas/position.ts';
import type { AccountsEntry, AccountsStore } from './accounts-store.ts';

export interface AccountsUnderTest {
  /** A new one begins with the install key, where one is given. */
  open(installKey?: Uint8Array): Promise<AccountsStore>;
  /** Everything it holds: what lies on the disk, or each row of it on a server; called while no store is open. */
  bytes(): Promise<Uint8Array>;
  remove(): Promise<void>;
}

const id = (): string => randomBytes(16).toString('base64url');
const someUser = (): KeySubject => `user:${userId.parse(id())}`;
const someConversation = (): KeySubject => `conversation:${conversationId.parse(id())}`;

const entriesOf = async (store: AccountsStore): Promise<readonly AccountsEntry[]> => {
  const entries: AccountsEntry[] = [];
  for await (const entry of store.each()) entries.push(entry);
  return entries;
};

export const accountsStoreContract = (name: string, prepare: () => Promise<AccountsUnderTest>): void => {
  describe(`accounts store: ${name}`, () => {
    let place: AccountsUnderTest;
    let store: AccountsStore;
    beforeEach(async () => {
      place = await prepare();
      store = await place.open();
    });
    afterEach(async () => {
      await store.close();
      await place.remove();
    });
    const reopen = async (): Promise<void> => {
      await store.close();
      store = await place.open();
    };

    test('a key once created is the same in memory, by subject, by name and after reopening', async () => {
      const subject = someUser();
      expect(await store.keyOf(subject)).toBeUndefined();
      expect(store.keyInMemory(subject)).toBeUndefined();
      expect(await store.createKey(subject)).toBe('created');
      const key = store.keyInMemory(subject);
      expect(key?.name).toMatch(/^[A-Za-z0-9_-]{21}[AQgw]$/);
      expect(key?.key.symmetricKeySize).toBe(32);
      await reopen();
      expect(store.keyInMemory(subject)).toBeUndefined();
      const named = await store.keysNamed(new Set([key?.name ?? '', id()]));
      expect([...named.keys()]).toEqual([key?.name]);
      expect(named.get(key?.name ?? '')?.key.export()).toEqual(key?.key.export());
      expect((await store.keyOf(subject))?.key.export()).toEqual(key?.key.export());
      expect(await store.createKey(subject)).toBe('exists');
    });

    test('of many who create one key at once, one does and all get that key', async () => {
      const subject = someConversation();
      const outcomes = await Promise.all(
        Array.from({ length: 50 }, async () => [await store.createKey(subject), await store.keyOf(subject)] as const),
      );
      expect(outcomes.filter(([outcome]) => outcome === 'created')).toHaveLength(1);
      expect(new Set(outcomes.map(([, key]) => key?.name)).size).toBe(1);
    });

    test('of many who destroy what others create, all agree in the end, and nobody gets a key any more', async () => {
      const subject = someUser();
      await Promise.all(
        Array.from({ length: 20 }, (_, i) => (i % 4 === 1 ? store.destroyKey(subject) : store.createKey(subject))),
      );
      expect(await store.createKey(subject)).toBe('destroyed');
      expect(await store.keyOf(subject)).toBeUndefined();
      expect(await store.destroyed()).toEqual([subject]);
    });

    test('every subject has a key and a name of its own', async () => {
      const subjects = Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? someUser() : someConversation()));
      await Promise.all(subjects.map((subject) => store.createKey(subject)));
      const keys = await Promise.all(subjects.map((subject) => store.keyOf(subject)));
      expect(new Set(keys.map((key) => key?.name)).size).toBe(100);
      expect(new Set(keys.map((key) => key?.key.export().toString('hex'))).size).toBe(100);
      expect((await store.keysNamed(new Set(keys.map((key) => key?.name ?? '')))).size).toBe(100);
    });

    test('a destroyed key is gone from memory at once, stays gone and is never replaced', async () => {
      const subject = someUser();
      await store.createKey(subject);
      const name = store.keyInMemory(subject)?.name ?? '';
      const destroyed = store.destroyKey(subject);
      expect(store.keyInMemory(subject)).toBeUndefined();
      await destroyed;
      const nothingLeft = async (): Promise<void> => {
        expect(await store.keyOf(subject)).toBeUndefined();
        expect((await store.keysNamed(new Set([name]))).size).toBe(0);
        expect(await store.createKey(subject)).toBe('destroyed');
        expect(store.keyInMemory(subject)).toBeUndefined();
      };
      await nothingLeft();
      await store.destroyKey(subject);
      await reopen();
      await nothingLeft();
    });

    test('an answer under way does not bring a destroyed key back into memory', async () => {
      const subject = someUser();
      await store.createKey(subject);
      await reopen();
      const asked = store.keyOf(subject);
      await Promise.all([asked, store.destroyKey(subject)]);
      expect(store.keyInMemory(subject)).toBeUndefined();
      expect(await store.keyOf(subject)).toBeUndefined();
    });

    test('destroying before creating leaves a tombstone', async () => {
      const subject = someUser();
      await store.destroyKey(subject);
      expect(await store.createKey(subject)).toBe('destroyed');
    });

    test('remembers whose keys were destroyed, and up to where the log was looked through for them', async () => {
      const [gone, stays] = [someUser(), someUser()];
      await store.createKey(gone);
      await store.createKey(stays);
      expect(await store.destroyed()).toEqual([]);
      expect(await store.erasedThrough()).toBeNull();
      await store.destroyKey(gone);
      const log = logId.parse(id());
      await store.storeErasedThrough({ log, n: 3 });
      await store.storeErasedThrough({ log, n: 7 });
      await reopen();
      expect(await store.destroyed()).toEqual([gone]);
      expect(await store.erasedThrough()).toEqual({ log, n: 7 });
    });

    test('a destroyed key and its name are nowhere in what it holds', async () => {
      const [subject, other] = [someUser(), someUser()];
      await store.createKey(subject);
      await store.createKey(other);
      const [gone, stays] = [store.keyInMemory(subject), store.keyInMemory(other)];
      await store.destroyKey(subject);
      await store.close();
      const held = Buffer.from(await place.bytes());
      expect(held.includes(gone?.key.export() ?? '')).toBe(false);
      expect(held.includes(Buffer.from(gone?.name ?? '', 'base64url'))).toBe(false);
      expect(held.includes(stays?.key.export() ?? '')).toBe(true);
    });

    test('the install key is made once', async () => {
      const { installKey } = store;
      expect(installKey).toHaveLength(32);
      await reopen();
      expect(store.installKey).toEqual(installKey);
    });

    test('gives each key and tombstone, and others that take them over read what was written under them', async () => {
      const subjects = [...Array.from({ length: 70 }, someUser), ...Array.from({ length: 30 }, someConversation)];
      await Promise.all(subjects.map((subject) => store.createKey(subject)));
      const gone = subjects[3] ?? someUser();
      await store.destroyKey(gone);
      const entries = await entriesOf(store);
      expect(entries.map(({ subject }) => subject).toSorted()).toEqual(subjects.toSorted());
      expect(entries.filter(({ key }) => key === null)).toEqual([{ subject: gone, key: null }]);
      const { installKey } = store;
      const keys = await Promise.all(subjects.map((subject) => store.keyOf(subject)));

      await store.close();
      await place.remove();
      place = await prepare();
      store = await place.open(installKey);
      expect(store.installKey).toEqual(installKey);
      for (let round = 0; round < 2; round++) {
        for (const { subject, key } of entries) {
          if (key === null) await store.destroyKey(subject);
          else expect(await store.takeKey(subject, key)).toBe('taken');
        }
      }
      await reopen();
      for (const [index, subject] of subjects.entries()) {
        const [key, before] = [await store.keyOf(subject), keys[index]];
        expect([key?.name, key?.key.export()]).toEqual([before?.name, before?.key.export()]);
      }
      const names = new Set(keys.flatMap((key) => (key === undefined ? [] : [key.name])));
      expect((await store.keysNamed(names)).size).toBe(99);
      expect(await store.destroyed()).toEqual([gone]);
      const byId = (one: { subject: string }, other: { subject: string }) => (one.subject < other.subject ? -1 : 1);
      expect((await entriesOf(store)).toSorted(byId)).toEqual(entries.toSorted(byId));
    });

    test('takes no key for who has another, or had one that was destroyed', async () => {
      const [subject, gone, other] = [someUser(), someUser(), someUser()];
      for (const one of [subject, gone, other]) await store.createKey(one);
      const key = (await entriesOf(store)).find((entry) => entry.subject === other)?.key;
      if (key === null || key === undefined) throw new Error('there is no key');
      await store.destroyKey(gone);
      expect(await store.takeKey(other, key)).toBe('taken');
      expect(await store.takeKey(subject, { ...key, name: id() })).toBe('different');
      expect(await store.takeKey(gone, { ...key, name: id() })).toBe('different');
      expect(await store.keyOf(gone)).toBeUndefined();
      expect((await store.keyOf(other))?.name).toBe(key.name);
    });

    test('more keys than memory holds are still found', async () => {
      const subjects = Array.from({ length: 300 }, someUser);
      await Promise.all(subjects.map((subject) => store.createKey(subject)));
      const keys = await Promise.all(subjects.map((subject) => store.keyOf(subject)));
      expect(keys.every((key) => key !== undefined)).toBe(true);
      expect(subjects.filter((subject) => store.keyInMemory(subject) !== undefined).length).toBeLessThan(300);
    });

    test('a closed store refuses', async () => {
      await store.close();
      await store.close();
      await expect(store.createKey(someUser())).rejects.toThrow();
    });
  });
};
