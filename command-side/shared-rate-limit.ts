import type { Clock } from './clock.ts';
import { rateLimit, type RateLimit } from './rate-limit.ts';

/** What was taken from buckets that all processes share, by key, and how long ago the first of it was. */
export interface Taken {
  readonly keys: readonly string[];
  readonly counts: readonly number[];
  readonly agoMs: number;
}

export interface SharedRateLimitDeps {
  readonly burst: number;
  readonly perSecond: number;
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Takes from the shared buckets, also what is not there; the tokens left in each, below zero if owed. */
  readonly settle: (taken: Taken) => Promise<readonly number[]>;
  /** Calls back once, a moment later. */
  readonly later: (work: () => void) => void;
  /** What was taken here could not be settled. */
  readonly unsettled: (error: unknown) => void;
}

const keysAtOnce = 500;

/**
 * A limit that several processes keep together while none of them waits for another: what a user takes is taken from a
 * bucket of this process at once, and a moment later, with what others took here, from the bucket that all share, whose
 * level the one here never exceeds from then on.
 *
 * One who is at several processes at the same moment, or comes to one that has not heard of it for a while, can take a
 * burst at each before they agree. That is owed: it has to refill before anything is taken anywhere. So of n processes, in
 * any time t, a user is given n bursts and what refills in t and in the moment of a settlement, and no higher rate.
 *
 * What cannot be settled is forgotten. Each process goes on by its own buckets then, and nobody owes for that time later.
 */
export const sharedRateLimit = (deps: SharedRateLimitDeps): RateLimit => {
  const { burst, perSecond, clock, settle, later, unsettled } = deps;
  const local = rateLimit(burst, perSecond, clock);
  const perMs = perSecond / 1_000;
  let taken = new Map<string, number>();
  /** When the first of it was. */
  let takenFrom = 0;
  let isDue = false;

  const settleSome = async (some: readonly (readonly [key: string, count: number])[], since: number): Promise<void> => {
    const asked = clock.monotonic();
    const keys = some.map(([key]) => key);
    try {
      const left = await settle({ keys, counts: some.map(([, count]) => count), agoMs: asked - since });
      // The answer is as old as the question may be: whoever waits as long as it was told shall not be refused for that.
      const refilled = (clock.monotonic() - asked) * perMs;
      for (const [index, key] of keys.entries()) {
        const takenSince = taken.get(key) ?? 0;
        local.lower(key, (left[index] ?? burst) + refilled - takenSince);
      }
    } catch (error) {
      unsettled(error);
    }
  };

  const settleAll = async (): Promise<void> => {
    const since = takenFrom;
    const settling = [...taken];
    taken = new Map();
    for (let from = 0; from < settling.length; from += keysAtOnce) {
      await settleSome(settling.slice(from, from + keysAtOnce), since);
    }
    isDue = false;
    if (taken.size > 0) settleLater();
  };

  const settleLater = (): void => {
    if (isDue) return;
    isDue = true;
    later(() => void settleAll());
  };

  return {
    take(key, cost) {
      const retryAfterMs = local.take(key, cost);
      if (retryAfterMs !== undefined) return retryAfterMs;
      if (taken.size === 0) takenFrom = clock.monotonic();
      taken.set(key, (taken.get(key) ?? 0) + Math.min(cost, burst));
      settleLater();
      return undefined;
    },
  };
};
