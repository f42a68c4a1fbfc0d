import { randomFillSync } from 'node:crypto';
import type { RandomBytes } from './clock.ts';

const poolBytes = 4_096;

/** Random bytes from a pool that is filled at once: asking the system for ten bytes costs as much as for thousands. */
export const randomPool = (): RandomBytes => {
  let pool = new Uint8Array(0);
  let used = 0;
  return (count) => {
    if (used + count > pool.length) {
      pool = randomFillSync(new Uint8Array(Math.max(poolBytes, count)));
      used = 0;
    }
    used += count;
    // A view: nothing is handed out twice, for a new pool is a new buffer.
    return pool.subarray(used - count, used);
  };
};
