import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { RateLimit } from './rate-limit.ts';

/** A limit nobody has taken from yet; `pass` lets time go by for it. */
export interface LimitUnderTest {
  readonly limit: RateLimit;
  readonly pass: (milliseconds: number) => Promise<void>;
}

/** What a limit keeps towards one process, whoever else shares it. */
export const rateLimitContract = (
  name: string,
  newLimit: (burst: number, perSecond: number) => Promise<LimitUnderTest>,
  close: () => Promise<void>,
): void => {
  describe(`rate limit: ${name}`, () => {
    afterEach(() => close());

    test('F63: a burst at once, then one by one at the rate; who waits as long as it was told is let through', async () => {
      const { limit, pass } = await newLimit(60, 1);
      for (let i = 0; i < 60; i++) expect(limit.take('ada', 1)).toBeUndefined();
      for (let i = 0; i < 3; i++) {
        expect(limit.take('ada', 1)).toBe(1_000);
        await pass(999);
        expect(limit.take('ada', 1)).toBeGreaterThan(0);
        await pass(1);
        expect(limit.take('ada', 1)).toBeUndefined();
      }
      await pass(59_000);
      let taken = 0;
      while (limit.take('ada', 1) === undefined) taken++;
      expect(taken).toBe(59);
    });

    test('one user’s burst takes nothing from another, and a refusal takes nothing', async () => {
      const { limit, pass } = await newLimit(5, 10);
      expect(limit.take('ada', 5)).toBeUndefined();
      for (let i = 0; i < 20; i++) expect(limit.take('ada', 2)).toBe(200);
      expect(limit.take('bob', 5)).toBeUndefined();
      await pass(200);
      expect(limit.take('ada', 2)).toBeUndefined();
    });

    test('what costs more than the burst costs the burst, and is possible', async () => {
      const { limit, pass } = await newLimit(4, 1);
      expect(limit.take('ada', 9)).toBeUndefined();
      expect(limit.take('ada', 9)).toBe(4_000);
      await pass(4_000);
      expect(limit.take('ada', 9)).toBeUndefined();
    });

    test('F63: whatever is asked for and when, no more than the burst and what refills is given', async () => {
      const asked = fc.record({ cost: fc.integer({ min: 1, max: 6 }), afterMs: fc.integer({ min: 0, max: 900 }) });
      await fc.assert(
        fc.asyncProperty(fc.array(asked, { maxLength: 30 }), async (calls) => {
          const [burst, perSecond] = [6, 4];
          const { limit, pass } = await newLimit(burst, perSecond);
          let given = 0;
          let time = 0;
          for (const { cost, afterMs } of calls) {
            await pass(afterMs);
            time += afterMs;
            const wait = limit.take('ada', cost);
            if (wait === undefined) given += cost;
            else expect(wait).toBeGreaterThan(0);
            expect(given).toBeLessThanOrEqual(burst + (time * perSecond) / 1_000 + 1e-3);
          }
        }),
        { numRuns: 20 },
      );
    });
  });
};
