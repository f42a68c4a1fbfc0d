import { randomBytes } from 'node:crypto';
import { expect, inject, onTestFinished, test } from 'vitest';
import { redisToEmpty } from '../tests/servers/redis-to-empty.ts';
import { everySecond } from './every-second.ts';
import { announcedGateway, gatewayRegistryContract } from './gateway-registry.contract.ts';
import { openRedis, type RedisConnection } from './redis-connection.ts';
import { redisGatewayRegistry } from './redis-gateway-registry.ts';
import { registryHeartbeat } from './registry-heartbeat.ts';
import { registryView } from './registry-view.ts';

const newNamespace = (): string => `parley-test:${randomBytes(8).toString('hex')}`;
const open = async (url = inject('redis')): Promise<RedisConnection> => openRedis(url, () => undefined);

/** Time goes by for what Redis holds: everything was heard so much earlier, and every key ends so much sooner. */
const shift = `
for _, server in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZINCRBY', KEYS[1], -ARGV[1], server) end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, math.floor(redis.call('PTTL', key) - ARGV[1])) end`;

gatewayRegistryContract('redis', async () => {
  const redis = await open();
  const namespace = newNamespace();
  return {
    registry: redisGatewayRegistry(redis, namespace),
    async pass(milliseconds) {
      await redis.commands.eval(shift, 2, `{${namespace}}:heard`, `{${namespace}}:said`, milliseconds);
    },
    close: async () => redis.close(),
  };
});

/** A process that shares a registry with others. */
const newProcess = async (namespace: string, url = inject('redis')) => {
  const redis = await open(url);
  onTestFinished(() => redis.close());
  return { redis, registry: redisGatewayRegistry(redis, namespace) };
};
const clock = { monotonic: () => performance.now() };
const warn = (): void => undefined;

test('F56: every process sees every gateway, no key stays for ever, and what a later version says hides no other', async () => {
  const namespace = newNamespace();
  const [one, other] = [await newProcess(namespace), await newProcess(namespace)];
  await one.registry.announce(announcedGateway('a'));
  await other.registry.announce(announcedGateway('b'));
  await one.redis.commands.zadd(`{${namespace}}:heard`, Date.now(), 'c');
  await one.redis.commands.hset(`{${namespace}}:said`, 'c', '{"serverId":"c","address":{}}');
  for (const { registry } of [one, other]) {
    expect((await registry.list()).map(({ serverId }) => serverId).toSorted()).toEqual(['a', 'b']);
  }
  const keys = await one.redis.commands.keys(`{${namespace}}*`);
  expect(keys).toHaveLength(2);
  for (const key of keys) expect(await one.redis.commands.pttl(key)).toBeGreaterThan(0);
});

test('D12: FLUSHALL is healed by the next heartbeat; a Redis that is away leaves the last answer, marked', async (context) => {
  const [namespace, url] = [newNamespace(), await redisToEmpty(context)];
  const [gateway, reader] = [await newProcess(namespace, url), await newProcess(namespace, url)];
  let beats = 0;
  // A heartbeat is due each time that it looks.
  const beating = { monotonic: () => ++beats * 10_000 };
  const self = () => announcedGateway('a', { connections: beats });
  const heartbeat = registryHeartbeat({ registry: gateway.registry, self, clock: beating, everySecond, warn });
  onTestFinished(() => heartbeat.end());
  const view = registryView({ registry: reader.registry, everySecond, warn });
  onTestFinished(() => view.close());
  const poll = { timeout: 60_000 };
  await expect.poll(() => view.seen().gateways.length, poll).toBe(1);

  await reader.redis.commands.flushall();
  const atFlush = beats;
  await expect.poll(() => view.seen().gateways[0]?.connections ?? 0, poll).toBeGreaterThan(atFlush);

  reader.redis.commands.disconnect();
  await expect.poll(() => view.seen(), poll).toMatchObject({ isStale: true, gateways: [{ serverId: 'a' }] });
  await reader.redis.commands.connect();
  await expect.poll(() => view.seen(), poll).toMatchObject({ isStale: false, gateways: [{ serverId: 'a' }] });
});

test('a process that ends is not listed any more', async () => {
  const namespace = newNamespace();
  const { registry } = await newProcess(namespace);
  const heartbeat = registryHeartbeat({ registry, self: () => announcedGateway('a'), clock, everySecond, warn });
  await expect.poll(async () => (await registry.list()).length).toBe(1);
  await heartbeat.end();
  expect(await registry.list()).toEqual([]);
});
