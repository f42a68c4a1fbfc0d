import type { Clock } from './clock.ts';

export interface RateLimit {
  /** Takes `cost` tokens, or none: then how many milliseconds until there are enough; undefined when taken. */
  take(key: string, cost: number): number | undefined;
}

/** Of one process. */
export interface LocalRateLimit extends RateLimit {
  /** No more than so many tokens are left, below zero if more was taken than there was: others took from them too. */
  lower(key: string, tokens: number): void;
}

/** Makes a limit, each under a name of its own. */
export type NewRateLimit = (name: 'sends' | 'marks' | 'reads', burst: number, perSecond: number) => RateLimit;

const longestWaitMs = 3_600_000;
/** Of a token: who waited as long as it was told must not be refused for the last bit of a sum. */
const roundingError = 1e-6;

interface Bucket {
  tokens: number;
  /** Monotonic time up to which `tokens` is right. */
  at: number;
}

/**
 * A token bucket for each key, on the monotonic clock: a jump of the wall clock neither opens nor shuts it. A cost above
 * the burst counts as the burst, so that it is possible at all.
 */
export const rateLimit = (
  burst: number,
  perSecond: number,
  clock: Pick<Clock, 'monotonic'>,
  mostBuckets = 100_000,
): LocalRateLimit => {
  const perMs = perSecond / 1_000;
  // In the order of their last use: the first ones are the likeliest to be full again.
  const buckets = new Map<string, Bucket>();

  /** A full bucket says nothing that a missing one does not. */
  const dropFull = (now: number): void => {
    for (const [key, { tokens, at }] of buckets) {
      if (buckets.size <= mostBuckets && tokens + (now - at) * perMs < burst) return;
      buckets.delete(key);
    }
  };

  /** As it is now, and the last one used. */
  const bucketOf = (key: string): Bucket => {
    const now = clock.monotonic();
    const bucket = buckets.get(key) ?? { tokens: burst, at: now };
    bucket.tokens = Math.min(burst, bucket.tokens + (now - bucket.at) * perMs);
    bucket.at = now;
    buckets.delete(key);
    buckets.set(key, bucket);
    if (buckets.size > mostBuckets) dropFull(now);
    return bucket;
  };

  return {
    take(key, cost) {
      const wanted = Math.min(cost, burst);
      const bucket = bucketOf(key);
      if (bucket.tokens + roundingError < wanted)
        return Math.min(longestWaitMs, Math.ceil((wanted - bucket.tokens) / perMs));
      bucket.tokens -= wanted;
      return undefined;
    },
    lower(key, tokens) {
      const bucket = bucketOf(key);
      bucket.tokens = Math.min(bucket.tokens, tokens);
    },
  };
};

/** For a process that is alone. */
export const localRateLimits =
  (clock: Pick<Clock, 'monotonic'>): NewRateLimit =>
  (_, burst, perSecond) =>
    rateLimit(burst, perSecond, clock);
