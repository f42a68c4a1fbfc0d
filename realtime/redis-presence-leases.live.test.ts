import { randomBytes } from 'node:crypto';
import { afterAll, expect, inject, onTestFinished, test } from 'vitest';
import { deviceId, userId } from '../schemas/ids.ts';
import { redisToEmpty } from '../tests/servers/redis-to-empty.ts';
import { presenceLeasesContract } from './presence-leases.contract.ts';
import { openRedis, type RedisConnection } from './redis-connection.ts';
import { redisPresenceLeases } from './redis-presence-leases.ts';

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());

const newNamespace = (): string => `parley-test:${randomBytes(8).toString('hex')}`;

/** So long that no test takes a part of it that counts. */
const factor = 600;

/** Time goes by for what Redis holds: every end of a lease, and of a key, comes so much nearer. */
const shift = `
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  if redis.call('TYPE', key).ok == 'zset' then
    local members = redis.call('ZRANGE', key, 0, -1)
    for _, member in ipairs(members) do redis.call('ZINCRBY', key, -ARGV[2], member) end
  end
  redis.call('PEXPIRE', key, math.floor(redis.call('PTTL', key) - ARGV[2]))
end`;

const open = async (): Promise<RedisConnection> => openRedis(inject('redis'), () => undefined);

presenceLeasesContract('redis', async (leaseMs) => {
  const redis = await open();
  const namespace = newNamespace();
  return {
    leases: redisPresenceLeases(redis, namespace, leaseMs * factor),
    async pass(milliseconds) {
      await redis.commands.eval(shift, 0, `{${namespace}}*`, Math.floor(milliseconds * factor));
    },
    close: async () => redis.close(),
  };
});

const newUser = () => userId.parse(randomBytes(16).toString('base64url'));
const phone = deviceId.parse('phone');

test('F38: leases run out by the clock of Redis, for every process that shares them, and no key stays for ever', async () => {
  const [here, there] = [await open(), await open()];
  for (const redis of [here, there]) stack.defer(() => redis.close());
  const namespace = newNamespace();
  const [mine, theirs] = [here, there].map((redis) => redisPresenceLeases(redis, namespace, 200));
  const users = Array.from({ length: 1_200 }, newUser);
  await mine?.renew(
    users.map((user) => ({ userId: user, deviceId: phone })),
    5,
  );
  const keys = await here.commands.keys(`{${namespace}}*`);
  for (const key of keys) expect(await here.commands.pttl(key)).not.toBe(-1);
  const taken: string[] = [];
  const take = async (): Promise<number> => {
    for (const leases of [mine, theirs]) {
      for (const { userId: user } of (await leases?.takeLapsed(200)) ?? []) taken.push(user);
    }
    return taken.length;
  };
  await expect.poll(take).toBe(users.length);
  expect(new Set(taken)).toEqual(new Set(users));
  expect(await theirs?.present(users.slice(0, 10))).toEqual(new Set());
});

test('D12: after FLUSHALL nobody is there and nobody has lapsed, until the next heartbeats', async (context) => {
  const redis = await openRedis(await redisToEmpty(context), () => undefined);
  onTestFinished(() => redis.close());
  const leases = redisPresenceLeases(redis, newNamespace(), 60_000);
  const user = newUser();
  await leases.renew([{ userId: user, deviceId: phone }], 5);
  await redis.commands.flushall();
  expect(await leases.present([user])).toEqual(new Set());
  expect(await leases.takeLapsed(10)).toEqual([]);
  await leases.renew([{ userId: user, deviceId: phone }], 6);
  expect(await leases.present([user])).toEqual(new Set([user]));
});
