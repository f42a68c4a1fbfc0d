import { randomBytes } from 'node:crypto';
import { afterAll, expect, inject, onTestFinished, test } from 'vitest';
import { openRedis, type RedisConnection } from '../realtime/redis-connection.ts';
import { redisToEmpty } from '../tests/servers/redis-to-empty.ts';
import { rateLimitContract } from './rate-limit.contract.ts';
import type { RateLimit } from './rate-limit.ts';
import { afterATenth, redisRateLimits } from './redis-rate-limit.ts';

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());

const newNamespace = (): string => `parley-test:${randomBytes(8).toString('hex')}`;
const open = async (url = inject('redis')): Promise<RedisConnection> => {
  const redis = await openRedis(url, () => undefined);
  stack.defer(() => redis.close());
  return redis;
};
const clock = { monotonic: () => performance.now() };

/** Time goes by for what Redis holds: every bucket is full so much sooner. */
const shift = `
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  local fullAt, left = redis.call('GET', key) - ARGV[2], redis.call('PTTL', key) - ARGV[2]
  if left > 0 then redis.call('SET', key, string.format('%.3f', fullAt), 'PX', left) else redis.call('DEL', key) end
end`;

const shared = await open();
rateLimitContract(
  'redis',
  async (burst, perSecond) => {
    const namespace = newNamespace();
    let now = 0;
    let due: (() => void) | undefined;
    const limit = redisRateLimits({
      ...{ redis: shared, namespace, clock: { monotonic: () => now } },
      later: (work) => (due = work),
      unsettled(error) {
        throw error;
      },
    })('sends', burst, perSecond);
    const pass = async (milliseconds: number): Promise<void> => {
      due?.();
      due = undefined;
      // On the same connection, so after what was due; and what follows from that has happened, too.
      await shared.commands.ping();
      await new Promise((resolve) => setImmediate(resolve));
      now += milliseconds;
      await shared.commands.eval(shift, 0, `{${namespace}}*`, milliseconds);
    };
    return { limit, pass };
  },
  () => Promise.resolve(),
);

/** A process that shares limits with others. */
const newProcess = async (namespace: string, url = inject('redis')) => {
  const redis = await open(url);
  const failures: unknown[] = [];
  const unsettled = (error: unknown): void => void failures.push(error);
  const limits = redisRateLimits({ redis, namespace, clock, later: afterATenth, unsettled });
  return { redis, limits, failures };
};

const takeAll = (limit: RateLimit, key: string): number => {
  let taken = 0;
  while (limit.take(key, 1) === undefined) taken++;
  return taken;
};

test('S15: four processes give one user four bursts at most and the rate of one, and no key outlives its bucket', async () => {
  const [burst, perSecond] = [20, 50];
  const namespace = newNamespace();
  const processes = await Promise.all(Array.from({ length: 4 }, () => newProcess(namespace)));
  const limits = processes.map((process) => process.limits('sends', burst, perSecond));
  const startedAt = performance.now();
  let given = 0;
  let tries = 0;
  const hammer = (): number => {
    for (const limit of limits) given += takeAll(limit, 'ada');
    return ++tries;
  };
  await expect.poll(hammer, { interval: 10, timeout: 60_000 }).toBeGreaterThan(300);
  expect(processes.flatMap(({ failures }) => failures)).toEqual([]);
  const seconds = (performance.now() - startedAt) / 1_000;
  // An answer of Redis that takes longer is a failure.
  const settledWithin = 2.1;
  expect(given).toBeLessThanOrEqual(4 * burst + perSecond * (seconds + settledWithin));
  expect(given).toBeGreaterThan(burst);
  const [key, ...others] = await shared.commands.keys(`{${namespace}}*`);
  expect(others).toEqual([]);
  expect(await shared.commands.pttl(key ?? '')).toBeGreaterThan(0);
  await expect.poll(() => shared.commands.keys(`{${namespace}}*`), { timeout: 60_000 }).toEqual([]);
});

test('S15: what was taken at one process is missing at the others; limits of other names and people are their own', async () => {
  const namespace = newNamespace();
  const [one, other] = [await newProcess(namespace), await newProcess(namespace)];
  const [here, there] = [one.limits('sends', 60, 0.001), other.limits('sends', 60, 0.001)];
  const people = Array.from({ length: 1_200 }, (_, index) => `user ${index}`);
  for (const user of people) here.take(user, 50);
  const isKnownThere = async (): Promise<number> => {
    const counted = await shared.commands.keys(`{${namespace}}:sends:*`);
    return counted.length;
  };
  await expect.poll(isKnownThere, { timeout: 60_000 }).toBe(1_200);
  for (const user of people) expect(there.take(user, 1)).toBeUndefined();
  // The last one to be settled.
  await expect.poll(() => there.take('user 1199', 1), { timeout: 60_000 }).toBeGreaterThan(0);
  expect(takeAll(there, 'user 7')).toBe(9);
  expect(takeAll(there, 'somebody else')).toBe(60);
  expect(takeAll(other.limits('marks', 60, 0.001), 'user 7')).toBe(60);
});

test('D12: without Redis each process keeps the limit by itself, at once; with it again they keep it together', async (context) => {
  const [namespace, url] = [newNamespace(), await redisToEmpty(context)];
  const [one, other] = [await newProcess(namespace, url), await newProcess(namespace, url)];
  onTestFinished(() => {
    for (const { redis } of [one, other]) redis.close();
  });
  const [here, there] = [one.limits('sends', 60, 0.001), other.limits('sends', 60, 0.001)];
  one.redis.commands.disconnect();
  expect(takeAll(here, 'ada')).toBe(60);
  await expect.poll(() => one.failures.length, { timeout: 60_000 }).toBe(1);
  expect(takeAll(there, 'ada')).toBe(60);
  await one.redis.commands.connect();
  expect(here.take('bob', 59)).toBeUndefined();
  await expect.poll(() => other.redis.commands.exists(`{${namespace}}:sends:bob`), { timeout: 60_000 }).toBe(1);
  there.take('bob', 1);
  await expect.poll(() => there.take('bob', 1), { timeout: 60_000 }).toBeGreaterThan(0);

  await other.redis.commands.flushall();
  expect(here.take('bob', 1)).toBeUndefined();
  expect(here.take('bob', 1)).toBeGreaterThan(0);
});
