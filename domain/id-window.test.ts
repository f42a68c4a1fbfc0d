import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { timeOfUuid, type CommandId } from '../schemas/ids.ts';
import type { FirstAnswer } from './conversation.ts';
import { idAt, mac, user } from './given.ts';
import { addId, answersIn, emptyIdWindow, findId, holdsAllSince, type IdWindow } from './id-window.ts';

const by = user('ann');
const answer = (id: CommandId): FirstAnswer => ({ id, by, mac, seq: undefined, time: 0, chain: '' });
const windowOf = (ids: readonly CommandId[], size?: number): IdWindow =>
  ids.reduce((window, id) => addId(window, answer(id)), emptyIdWindow(size));

/** The definition in the design, word by word and however slow. */
const define = (arrived: readonly CommandId[], size: number) => {
  const held = (count: number): ReadonlySet<CommandId> => {
    const ids = arrived.slice(0, count);
    return new Set([...ids.slice(-size), ...ids.toSorted().slice(-size)]);
  };
  let w = -1;
  for (let count = 1; count <= arrived.length; count++) {
    const now = held(count);
    for (const id of held(count - 1)) if (!now.has(id)) w = Math.max(w, timeOfUuid(id));
  }
  return { held: held(arrived.length), w };
};

/** Times that collide, that rise, that jump back, and that lie as far in the future as an id can say. */
const time = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 12 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 200 }) },
  { weight: 1, arbitrary: fc.integer({ min: 2 ** 48 - 20, max: 2 ** 48 - 1 }) },
);
const distinctIds = (maxLength: number) =>
  fc
    .uniqueArray(fc.tuple(time, fc.nat(0xffff_ffff)), { maxLength })
    .map((pairs) => [...new Set(pairs.map(([at, n]) => idAt(at, n)))]);
const sizes = fc.integer({ min: 1, max: 24 });

describe('the window of ids', () => {
  test('I2: an id that was seen is never new, and every id the definition holds is known (M1)', () => {
    fc.assert(
      fc.property(distinctIds(60), sizes, (arrived, size) => {
        let window = emptyIdWindow(size);
        for (const id of arrived) {
          expect(findId(window, id)).not.toHaveProperty('known');
          window = addId(window, answer(id));
          expect(findId(window, id)).toEqual({ known: answer(id) });
        }
        const { held, w } = define(arrived, size);
        for (const id of arrived) {
          const found = findId(window, id);
          if (found === 'unknown') expect(held).not.toContain(id);
          else expect(found).toEqual({ known: answer(id) });
        }
        expect(window.droppedTimeMax).toBeLessThanOrEqual(w);
        expect(window.idTimeMax).toBe(Math.max(0, ...arrived.map(timeOfUuid)));
        expect(window.arrivals).toBe(arrived.length);
      }),
      { numRuns: 5_000 },
    );
  });

  test('an id never seen is never known, and needs no look-up if its time is later than W', () => {
    fc.assert(
      fc.property(distinctIds(60), sizes, (ids, size) => {
        const [asked, ...arrived] = ids;
        if (asked === undefined) return;
        const found = findId(windowOf(arrived, size), asked);
        expect(found).toBeTypeOf('string');
        if (timeOfUuid(asked) > define(arrived, size).w) expect(found).toBe('new');
      }),
      { numRuns: 3_000 },
    );
  });

  test('a look-up made when some had arrived still counts while all who came since are held', () => {
    fc.assert(
      fc.property(distinctIds(60), sizes, fc.nat(60), (arrived, size, then) => {
        const noted = windowOf(arrived.slice(0, then), size).arrivals;
        const window = windowOf(arrived, size);
        const since = arrived.slice(noted);
        expect(holdsAllSince(window, noted)).toBe(since.length <= size);
        if (holdsAllSince(window, noted)) for (const id of since) expect(findId(window, id)).toHaveProperty('known');
      }),
      { numRuns: 2_000 },
    );
  });

  test('states share their parts: adding leaves the window it was added to as it was', () => {
    fc.assert(
      fc.property(distinctIds(40), sizes, (arrived, size) => {
        const before = windowOf(arrived.slice(1), size);
        const copy = structuredClone(before);
        if (arrived[0] !== undefined) addId(before, answer(arrived[0]));
        expect(before).toEqual(copy);
      }),
    );
  });

  test('is bounded, and ids that come in the order of their times need no look-up', () => {
    const window = windowOf(Array.from({ length: 10_000 }, (_, at) => idAt(at)));
    expect(answersIn(window)).toBeLessThanOrEqual(2_250);
    expect(findId(window, idAt(7_999, 1))).toBe('new');
    expect(findId(window, idAt(10_000))).toBe('new');
    expect(findId(window, idAt(0))).toBe('unknown');
  });

  test('T1: when clocks jump back it holds the newest and the latest, twice as many at most', () => {
    const ahead = Array.from({ length: 5_000 }, (_, at) => idAt(1_000_000 + at));
    const behind = Array.from({ length: 5_000 }, (_, at) => idAt(at));
    const window = windowOf([...ahead, ...behind]);
    expect(answersIn(window)).toBeLessThanOrEqual(4_250);
    expect(findId(window, ahead[4_999] ?? idAt(0))).toHaveProperty('known');
    expect(findId(window, ahead[0] ?? idAt(0))).toBe('unknown');
    expect(findId(window, behind[4_999] ?? idAt(0))).toHaveProperty('known');
  });
});
