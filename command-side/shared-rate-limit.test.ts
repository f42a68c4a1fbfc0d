import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rateLimitContract } from './rate-limit.contract.ts';
import type { RateLimit } from './rate-limit.ts';
import { sharedRateLimit, type Taken } from './shared-rate-limit.ts';

/** Processes that share buckets; each settles when a test says so, and hears of it when a test says so. */
class Scene {
  now = 0;
  readonly processes: Process[];
  away = false;
  private readonly perMs: number;
  private readonly burst: number;
  private readonly fullAt = new Map<string, number>();

  constructor(processes: number, burst: number, perSecond: number) {
    [this.burst, this.perMs] = [burst, perSecond / 1_000];
    const clock = { monotonic: () => this.now };
    this.processes = Array.from({ length: processes }, () => new Process(this, burst, perSecond, clock));
  }

  settle({ keys, counts, agoMs }: Taken): number[] {
    return keys.map((key, index) => {
      const fullAt = Math.max(this.fullAt.get(key) ?? 0, this.now - agoMs) + (counts[index] ?? 0) / this.perMs;
      this.fullAt.set(key, fullAt);
      return this.left(key);
    });
  }

  left(key: string): number {
    return this.burst - Math.max(0, (this.fullAt.get(key) ?? 0) - this.now) * this.perMs;
  }
}

class Process {
  readonly limit: RateLimit;
  unsettled = 0;
  /** The settlement that is due, and since when. */
  due: { readonly work: () => void; readonly since: number } | undefined;
  /** The answer that is on its way, and since when. */
  answer: { readonly give: () => void; readonly since: number } | undefined;

  constructor(scene: Scene, burst: number, perSecond: number, clock: { monotonic: () => number }) {
    const settle = (taken: Taken): Promise<number[]> => {
      if (scene.away) return Promise.reject(new Error('away'));
      const left = scene.settle(taken);
      return new Promise((resolve) => {
        this.answer = { since: clock.monotonic(), give: () => resolve(left) };
      });
    };
    this.limit = sharedRateLimit({
      ...{ burst, perSecond, clock, settle },
      later: (work) => (this.due = { work, since: clock.monotonic() }),
      unsettled: () => this.unsettled++,
    });
  }

  /** What is due is told to all, or its answer heard. */
  async goOn(): Promise<void> {
    const { due, answer } = this;
    if (answer !== undefined) {
      this.answer = undefined;
      answer.give();
    } else if (due !== undefined) {
      this.due = undefined;
      due.work();
    }
    await settled();
  }

  async settle(): Promise<void> {
    while (this.due !== undefined || this.answer !== undefined) await this.goOn();
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const takeAll = ({ limit }: Process, key = 'ada'): number => {
  let taken = 0;
  while (limit.take(key, 1) === undefined) taken++;
  return taken;
};

rateLimitContract(
  'shared, of one process',
  async (burst, perSecond) => {
    const scene = new Scene(1, burst, perSecond);
    const [only] = scene.processes;
    if (only === undefined) throw new Error('there is one');
    const pass = async (milliseconds: number): Promise<void> => {
      await only.settle();
      scene.now += milliseconds;
    };
    return { limit: only.limit, pass };
  },
  () => Promise.resolve(),
);

describe('several processes', () => {
  const two = (): [Scene, Process, Process] => {
    const scene = new Scene(2, 60, 1);
    const [one, other] = scene.processes;
    if (one === undefined || other === undefined) throw new Error('there are two');
    return [scene, one, other];
  };

  test('S15: what was taken at one process is missing at the other, once that one asks', async () => {
    const [, one, other] = two();
    expect(takeAll(one)).toBe(60);
    await one.settle();
    expect(other.limit.take('ada', 1)).toBeUndefined();
    await other.settle();
    expect(other.limit.take('ada', 1)).toBe(2_000);
    expect(one.limit.take('bob', 60)).toBeUndefined();
  });

  test('S15: what was given twice before they agreed is owed, and the rate stays that of one', async () => {
    const [scene, one, other] = two();
    expect([takeAll(one), takeAll(other)]).toEqual([60, 60]);
    await one.settle();
    await other.settle();
    expect(scene.left('ada')).toBe(-60);
    let taken = 0;
    for (let second = 0; second < 600; second++) {
      scene.now += 1_000;
      for (const process of [one, other]) {
        taken += takeAll(process);
        await process.settle();
      }
    }
    expect(taken).toBeLessThanOrEqual(600);
    expect(taken).toBeGreaterThan(500);
  });

  test('what is taken while an answer is on its way counts when it comes', async () => {
    const [, one, other] = two();
    other.limit.take('ada', 30);
    await other.settle();
    one.limit.take('ada', 10);
    await one.goOn();
    expect(one.limit.take('ada', 20)).toBeUndefined();
    await one.goOn();
    expect(takeAll(one)).toBe(0);
    await one.settle();
    expect(takeAll(other)).toBe(30);
  });

  test('who waits as long as it was told is let through, though what it took was settled in between', async () => {
    const [scene, one] = two();
    expect(takeAll(one)).toBe(60);
    expect(one.limit.take('ada', 1)).toBe(1_000);
    scene.now += 100;
    await one.goOn();
    scene.now += 100;
    await one.goOn();
    expect(one.limit.take('ada', 1)).toBe(800);
    scene.now += 800;
    expect(one.limit.take('ada', 1)).toBeUndefined();
  });

  test('D12: while nothing can be settled each goes on alone at its own rate, and owes nothing for it later', async () => {
    const [scene, one, other] = two();
    scene.away = true;
    expect([takeAll(one), takeAll(other)]).toEqual([60, 60]);
    for (let second = 0; second < 300; second++) {
      await one.settle();
      scene.now += 1_000;
      expect(takeAll(one)).toBe(1);
    }
    expect(one.unsettled).toBe(300);
    await one.settle();
    scene.away = false;
    scene.now += 1_000;
    expect(takeAll(one)).toBe(1);
    await one.settle();
    expect(scene.left('ada')).toBe(59);
  });
});

/** The longest that a settlement takes, from the first token taken until the answer is heard. */
const settledWithinMs = 400;

test('S15: whoever asks where and when, n processes give n bursts and what refills, in any time', async () => {
  const [processes, burst, perSecond] = [3, 10, 5];
  const step = fc.oneof(
    fc.record({ is: fc.constant('take' as const), at: fc.nat(processes - 1), count: fc.integer({ min: 1, max: 15 }) }),
    fc.record({ is: fc.constant('go on' as const), at: fc.nat(processes - 1) }),
    fc.record({ is: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 4_000 }) }),
  );
  let most = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 120, size: 'max' }), async (steps) => {
      const scene = new Scene(processes, burst, perSecond);
      const given: { readonly at: number; readonly count: number }[] = [];
      const wait = async (ms: number): Promise<void> => {
        for (let left = ms; left > 0; left -= settledWithinMs / 4) {
          scene.now += Math.min(left, settledWithinMs / 4);
          for (const process of scene.processes) {
            const isLate = (since: number): boolean => scene.now - since >= settledWithinMs / 4;
            while (isLate((process.answer ?? process.due)?.since ?? Infinity)) await process.goOn();
          }
        }
      };
      for (const one of steps) {
        if (one.is === 'wait') await wait(one.ms);
        else if (one.is === 'go on') await scene.processes[one.at]?.goOn();
        else {
          let count = 0;
          while (count < one.count && scene.processes[one.at]?.limit.take('ada', 1) === undefined) count++;
          given.push({ at: scene.now, count });
        }
      }
      for (const [index, { at: start }] of given.entries()) {
        let sum = 0;
        for (const { at, count } of given.slice(index)) {
          sum += count;
          const refilled = ((at - start + settledWithinMs) * perSecond) / 1_000;
          most = Math.max(most, sum - refilled);
          expect(sum).toBeLessThanOrEqual(processes * burst + refilled + 1e-3);
        }
      }
    }),
    { numRuns: 100 },
  );
  // The bound is the one that is reached: less would be said wrongly.
  expect(most).toBeGreaterThan((processes - 1) * burst);
});
