import { z } from 'zod';
import { gatewayTtlMs, mostGateways, type AnnouncedGateway, type GatewayRegistry } from './gateway-registry.ts';
import type { RedisConnection } from './redis-connection.ts';

/**
 * Each script is one step for all who ask, by the clock of Redis alone. `heard`: server by when it was last heard of;
 * `said`: what it said. Neither outlives the last server by more than the length of an entry.
 */
const now = `local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000) `;

const announceScript = `${now}
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
for _, server in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3], 'LIMIT', 0, ARGV[4])) do
  redis.call('ZREM', KEYS[1], server)
  redis.call('HDEL', KEYS[2], server)
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])`;

const withdrawScript = `
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])`;

const listScript = `${now}
local known = {}
local heard = redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', '(' .. now - ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[2])
for i = 1, #heard, 2 do
  local said = redis.call('HGET', KEYS[2], heard[i])
  if said then table.insert(known, { said, math.max(0, now - heard[i + 1]) }) end
end
return known`;

const answer = z.array(z.tuple([z.string(), z.number()]));
const announced = z.object({
  serverId: z.string(),
  url: z.string(),
  region: z.string().nullable(),
  connections: z.number(),
  capacity: z.number().nullable(),
  draining: z.boolean(),
  notReady: z.string().nullable(),
  since: z.number(),
}) satisfies z.ZodType<AnnouncedGateway>;

/** A later version may say other things: such a server is left out, and the others stay. */
const parse = (said: string): AnnouncedGateway | undefined => announced.safeParse(JSON.parse(said)).data;

/** For all processes over one log; `namespace` is theirs alone. */
export const redisGatewayRegistry = (
  { commands }: Pick<RedisConnection, 'commands'>,
  namespace: string,
): GatewayRegistry => {
  // In braces: a cluster keeps what they hold on one node.
  const keys = [`{${namespace}}:heard`, `{${namespace}}:said`] as const;

  return {
    async announce(gateway) {
      const { serverId } = gateway;
      await commands.eval(announceScript, 2, ...keys, serverId, JSON.stringify(gateway), gatewayTtlMs, mostGateways);
    },
    async withdraw(serverId) {
      await commands.eval(withdrawScript, 2, ...keys, serverId);
    },
    async list() {
      const known = answer.parse(await commands.eval(listScript, 2, ...keys, gatewayTtlMs, mostGateways));
      return known.flatMap(([said, silentMs]) => {
        const gateway = parse(said);
        return gateway === undefined ? [] : [{ ...gateway, silentMs }];
      });
    },
  };
};
