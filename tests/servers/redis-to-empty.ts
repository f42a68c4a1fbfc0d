import { onTestFinished, type TestContext } from 'vitest';
import { sayLast } from '../say-last.ts';
import { redis, startOwnRedis } from './redis.ts';
import { dockerAnswers } from './start-server.ts';

/** The URL of a Redis that nobody else uses: what empties it would be felt by the tests of other files. */
export const redisToEmpty = async ({ skip }: TestContext): Promise<string> => {
  const own = (await startOwnRedis()) ?? ((await dockerAnswers()) ? await redis.startInDocker() : undefined);
  if (own === undefined) {
    sayLast('redis-server is not installed: D12 was not tried on a Redis that is emptied.');
    return skip();
  }
  onTestFinished(() => own.stop());
  return own.url;
};
