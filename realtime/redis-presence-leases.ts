import { z } from 'zod';
import { userId, type UserId } from '../schemas/ids.ts';
import type { PresenceLeases, PresentDevice } from './presence-leases.ts';
import type { RedisConnection } from './redis-connection.ts';

/** Who lapsed while no process ran is found by the sweep: nobody needs it longer than this. */
const keptMs = 86_400_000;
const devicesAtOnce = 500;

/**
 * Each script is one step for all who ask, by the clock of Redis alone.
 * `users`: user by when its last lease ends; `seen`: its last sign of life; one key a user: device by when its lease ends.
 */
const now = `local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000) `;

const renewScript = `${now}
local untilMs = now + ARGV[1]
for i = 3, #KEYS do
  local user, device = ARGV[2 * i - 2], ARGV[2 * i - 1]
  redis.call('ZADD', KEYS[i], untilMs, device)
  redis.call('PEXPIRE', KEYS[i], ARGV[1])
  redis.call('ZADD', KEYS[1], untilMs, user)
  if tonumber(ARGV[2]) > tonumber(redis.call('HGET', KEYS[2], user) or -1) then redis.call('HSET', KEYS[2], user, ARGV[2]) end
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])`;

const releaseScript = `${now}
if ARGV[2] == '' then redis.call('DEL', KEYS[3]) else redis.call('ZREM', KEYS[3], ARGV[2]) end
local last = redis.call('ZRANGE', KEYS[3], -1, -1, 'WITHSCORES')[2]
if last and tonumber(last) > now then
  redis.call('ZADD', KEYS[1], last, ARGV[1])
  return 1
end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return 0`;

const presentScript = `${now}
local present = {}
for i, untilMs in ipairs(redis.call('ZMSCORE', KEYS[1], unpack(ARGV))) do
  if untilMs and tonumber(untilMs) > now then table.insert(present, ARGV[i]) end
end
return present`;

const takeScript = `${now}
local lapsed = {}
for _, user in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])) do
  table.insert(lapsed, { user, redis.call('HGET', KEYS[2], user) or '0' })
  redis.call('ZREM', KEYS[1], user)
  redis.call('HDEL', KEYS[2], user)
end
return lapsed`;

const users = z.array(userId);
const lapsed = z.array(z.tuple([userId, z.coerce.number()]));

/** For all processes over one log; `namespace` is theirs alone. */
export const redisPresenceLeases = (
  { commands }: Pick<RedisConnection, 'commands'>,
  namespace: string,
  leaseMs: number,
): PresenceLeases => {
  // In braces: a cluster keeps what they hold on one node.
  const [byEnd, seen] = [`{${namespace}}:users`, `{${namespace}}:seen`];
  const devicesOf = (user: UserId): string => `{${namespace}}:devices:${user}`;

  const renew = (devices: readonly PresentDevice[], seenAt: number): Promise<unknown> => {
    const keys = [byEnd, seen, ...devices.map((device) => devicesOf(device.userId))];
    const named = devices.flatMap((device) => [device.userId, device.deviceId]);
    return commands.eval(renewScript, keys.length, ...keys, leaseMs, seenAt, keptMs, ...named);
  };

  return {
    async renew(devices, seenAt) {
      for (let from = 0; from < devices.length; from += devicesAtOnce) {
        await renew(devices.slice(from, from + devicesAtOnce), seenAt);
      }
    },
    async release(user, device) {
      const held = await commands.eval(releaseScript, 3, byEnd, seen, devicesOf(user), user, device ?? '');
      return held === 1;
    },
    async present(asked) {
      if (asked.length === 0) return new Set();
      return new Set(users.parse(await commands.eval(presentScript, 1, byEnd, ...asked)));
    },
    async takeLapsed(most) {
      const taken = lapsed.parse(await commands.eval(takeScript, 2, byEnd, seen, most));
      return taken.map(([user, lastSeen]) => ({ userId: user, lastSeen }));
    },
  };
};
