import fc from 'fast-check';
import { expect, test } from 'vitest';
import { idAt, user } from '../domain/given.ts';
import { blockedAfter } from '../domain/user-settings.ts';
import type { UserId } from '../schemas/ids.ts';
import type { UserEvent } from '../schemas/user-events.ts';
import { BlockList } from './block-list.ts';
import type { LoadedBlocked } from './load-blocked.ts';

const people = ['ann', 'ben', 'cat'].map(user);
const event = fc
  .record({
    type: fc.constantFrom('user-blocked' as const, 'user-unblocked' as const),
    blocked: fc.constantFrom(...people),
  })
  .map((said): UserEvent => ({ ...said, commandId: idAt(1) }));
const foldOf = (events: readonly UserEvent[]): ReadonlySet<UserId> => events.reduce(blockedAfter, new Set<UserId>());

test('I6: whenever the list is read while events pass, it is in the end the fold of all of them', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { maxLength: 12 }),
      fc.tuple(fc.nat(12), fc.nat(12), fc.nat(12)),
      async (events, cuts) => {
        // The read begins, sees the stream up to somewhere, and answers; each when so many events have passed.
        const [begins, sees, answers] = cuts.toSorted((a, b) => a - b);
        const read = Promise.withResolvers<LoadedBlocked>();
        const list = new BlockList(() => read.promise);
        const pass = (from = 0, to = events.length): void => {
          for (const [index, one] of events.slice(from, to).entries()) list.see(one, from + index);
        };
        pass(0, begins);
        const loaded = list.load();
        pass(begins, answers);
        const seen = events.slice(0, sees);
        read.resolve({ blocked: foldOf(seen), erased: false, revision: seen.length - 1 });
        await loaded;
        pass(answers);
        for (const one of people) expect(list.hides(one)).toBe(foldOf(events).has(one));
      },
    ),
  );
});

test('a read that failed can be made again', async () => {
  let reads = 0;
  const list = new BlockList(() =>
    ++reads === 1
      ? Promise.reject(new Error('away'))
      : Promise.resolve({ blocked: new Set(people), erased: false, revision: 3 }),
  );
  await expect(list.load()).rejects.toThrow('away');
  await list.load();
  await list.load();
  expect(reads).toBe(2);
  expect(list.hides(user('ann'))).toBe(true);
});
