import { z } from 'zod';
import type { RedisConnection } from '../realtime/redis-connection.ts';
import type { NewRateLimit } from './rate-limit.ts';
import { sharedRateLimit, type SharedRateLimitDeps } from './shared-rate-limit.ts';

/**
 * Of each bucket Redis keeps when it will be full again, by its own clock, and keeps it until then: what is missing is full.
 * What is taken is taken as of when it was given out.
 */
const takeScript = `
local t = redis.call('TIME') local now = t[1] * 1000 + t[2] / 1000
local burst, perMs, takenAt = ARGV[1], ARGV[2], now - ARGV[3]
local left = {}
for i, key in ipairs(KEYS) do
  local fullAt = math.max(tonumber(redis.call('GET', key) or 0), takenAt) + ARGV[i + 3] / perMs
  if fullAt > now then redis.call('SET', key, string.format('%.3f', fullAt), 'PX', math.ceil(fullAt - now)) end
  left[i] = string.format('%.6f', burst - math.max(0, fullAt - now) * perMs)
end
return left`;

const answer = z.array(z.coerce.number());

const settleAfterMs = 100;

/** It does not keep a process that would end. */
export const afterATenth = (work: () => void): void => void setTimeout(work, settleAfterMs).unref();

export interface RedisRateLimitDeps extends Pick<SharedRateLimitDeps, 'clock' | 'later' | 'unsettled'> {
  readonly redis: Pick<RedisConnection, 'commands'>;
  /** Of all processes over one log, and theirs alone. */
  readonly namespace: string;
}

/** Limits that all processes keep together, as far as Redis is there. */
export const redisRateLimits =
  ({ redis: { commands }, namespace, ...deps }: RedisRateLimitDeps): NewRateLimit =>
  (name, burst, perSecond) =>
    sharedRateLimit({
      ...{ ...deps, burst, perSecond },
      async settle({ keys, counts, agoMs }) {
        // In braces: a cluster keeps what they hold on one node.
        const named = keys.map((key) => `{${namespace}}:${name}:${key}`);
        const known = [burst, perSecond / 1_000, agoMs, ...counts];
        return answer.parse(await commands.eval(takeScript, named.length, ...named, ...known));
      },
    });
