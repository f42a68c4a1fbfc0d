import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { ClientStorage, Json } from './storage.ts';

/** A storage of its own for every call of `fresh`; what it returns opens that one again. */
export type FreshStorage = () => Promise<() => Promise<ClientStorage>>;

export const storageContract = (name: string, fresh: FreshStorage): void => {
  describe(`client storage: ${name}`, () => {
    const opened: ClientStorage[] = [];
    const use = async (open: () => Promise<ClientStorage>): Promise<ClientStorage> => {
      const storage = await open();
      opened.push(storage);
      return storage;
    };
    afterEach(() => Promise.all(opened.splice(0).map((storage) => storage.close())));
    const again = async (open: () => Promise<ClientStorage>): Promise<ClientStorage> => {
      await opened.pop()?.close();
      return use(open);
    };

    test('is empty at first', async () => {
      const storage = await use(await fresh());
      expect(await storage.load()).toEqual(new Map());
    });

    test('keeps every value as it was, over a reopening', async () => {
      const values = ['', 'a\nb\u2028\0', 0, -1.5, false, [], [null, { a: [1] }], {}, { '': 'é🙂', b: null }];
      const changes = new Map<string, Json>(values.map((value, index) => [`key/${index}`, value]));
      const open = await fresh();
      await (await use(open)).commit(changes);
      expect(await (await again(open)).load()).toEqual(changes);
    });

    test('replaces and removes; removing what is not there changes nothing', async () => {
      const open = await fresh();
      const storage = await use(open);
      await storage.commit(new Map(Object.entries({ a: 1, b: 2 })));
      await storage.commit(new Map(Object.entries({ a: null, b: 3, c: null })));
      expect(await (await again(open)).load()).toEqual(new Map([['b', 3]]));
    });

    test('an empty commit is one', async () => {
      const open = await fresh();
      await (await use(open)).commit(new Map());
      expect(await (await again(open)).load()).toEqual(new Map());
    });

    test('holds more than a megabyte, rewritten many times', async () => {
      const open = await fresh();
      const storage = await use(open);
      const text = 'x'.repeat(100_000);
      for (let round = 0; round < 30; round++)
        await storage.commit(new Map([[`key/${round % 3}`, `${round} ${text}`]]));
      const loaded = await (await again(open)).load();
      expect(loaded).toEqual(
        new Map(Object.entries({ 'key/0': `27 ${text}`, 'key/1': `28 ${text}`, 'key/2': `29 ${text}` })),
      );
    });

    test('equals a map after any commits, with reopenings between', async () => {
      const key = fc.constantFrom('a', 'b/1', 'b/2', 'ключ');
      const commit = fc.array(fc.tuple(key, fc.option(fc.jsonValue() as fc.Arbitrary<Json>)));
      const steps = fc.array(
        fc.oneof({ weight: 4, arbitrary: commit }, { weight: 1, arbitrary: fc.constant('reopen' as const) }),
      );
      await fc.assert(
        fc.asyncProperty(steps, async (given) => {
          const open = await fresh();
          let storage = await use(open);
          const model = new Map<string, Json>();
          for (const one of given) {
            if (one === 'reopen') storage = await again(open);
            else {
              await storage.commit(new Map(one));
              for (const [changed, value] of new Map(one)) {
                if (value === null) model.delete(changed);
                else model.set(changed, value);
              }
            }
          }
          expect(asJson(await (await again(open)).load())).toEqual(asJson(model));
          await opened.pop()?.close();
        }),
        { numRuns: 30 },
      );
    });
  });
};

/** JSON has no -0. */
const asJson = (entries: ReadonlyMap<string, Json>): unknown =>
  JSON.parse(JSON.stringify([...entries].sort(([one], [other]) => (one < other ? -1 : 1))));
