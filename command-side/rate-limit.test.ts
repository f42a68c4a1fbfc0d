import { expect, test } from 'vitest';
import { rateLimitContract } from './rate-limit.contract.ts';
import { rateLimit } from './rate-limit.ts';

const standingClock = () => {
  let at = 0;
  return { monotonic: () => at, pass: async (milliseconds: number) => void (at += milliseconds) };
};

rateLimitContract(
  'of one process',
  async (burst, perSecond) => {
    const clock = standingClock();
    return { limit: rateLimit(burst, perSecond, clock), pass: clock.pass };
  },
  () => Promise.resolve(),
);

test('who is lowered waits until it is above zero again, and is never raised', async () => {
  const clock = standingClock();
  const limit = rateLimit(10, 1, clock);
  limit.lower('ada', -5);
  expect(limit.take('ada', 1)).toBe(6_000);
  limit.lower('ada', 10);
  expect(limit.take('ada', 1)).toBe(6_000);
  await clock.pass(6_000);
  expect(limit.take('ada', 1)).toBeUndefined();
  expect(limit.take('ada', 1)).toBe(1_000);
});

test('of more users than it can remember, those are forgotten first whose buckets say nothing', async () => {
  const clock = standingClock();
  const limit = rateLimit(2, 1, clock, 3);
  for (const user of ['a', 'b', 'c', 'd', 'e']) limit.take(user, 2);
  expect(limit.take('e', 1)).toBe(1_000);
  // The oldest ones had to go, and are full to whoever asks.
  expect(limit.take('a', 2)).toBeUndefined();
});
