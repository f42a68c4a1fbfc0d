import { expect, test } from 'vitest';
import { WireClient } from '../wire-client.ts';
import { busOf, idOf, newStack, own, RestartedRedis, seenOnline, startOn, talking, watch } from './redis-scene.ts';

test('D12: a failover to a replica costs nobody a message, and nobody who is there is shown as gone', async (context) => {
  const stack = newStack();
  const redis = await RestartedRedis.start(stack);
  if (redis === undefined) return context.skip();
  const replica = await own(stack, ['--replicaof', '127.0.0.1', String(redis.port)]);
  if (replica === undefined) return context.skip();
  const { Redis } = await import('ioredis');
  const operator = new Redis(replica.url);
  stack.defer(() => operator.disconnect());
  const server = await startOn(redis.url, stack);
  const { ann, ben, conversationId } = await talking(server, stack);
  await watch(ann, ben);
  const heldByReplica = async (): Promise<number> =>
    (await operator.keys('{parley:*')).filter((key) => key.includes(':devices:')).length;
  await expect.poll(heldByReplica).toBe(2);

  await redis.kill();
  ann.text(conversationId, 'while nobody leads');
  await ben.next('message', ({ seq }) => seq === 1);
  await operator.replicaof('NO', 'ONE');
  redis.followedBy(replica);
  await expect.poll(() => busOf(server)).toBe('ok');
  ann.text(conversationId, 'after it');
  await ben.next('message', ({ seq }) => seq === 2);
  const told = ann.of('presence').flatMap(({ users }) => users.map(({ online }) => online));
  expect(told.slice(told.indexOf(true))).toEqual([true]);
  await ben.close();
  await seenOnline(ann, idOf(ben), false);
});

test('D12: a Redis that refuses what it is asked for a fifth of the time holds up no message, and presence comes right', async (context) => {
  const stack = newStack();
  const redis = await own(stack);
  if (redis === undefined) return context.skip();
  const { Redis } = await import('ioredis');
  const operator = new Redis(redis.url);
  stack.defer(() => operator.disconnect());
  const server = await startOn(redis.url, stack);
  const { ann, ben, conversationId } = await talking(server, stack);
  await watch(ann, ben);
  const refusedSoFar = async (): Promise<number> =>
    Number(/total_error_replies:(\d+)/.exec(await operator.info('stats'))?.[1] ?? 0);
  // Out of memory, it answers to each command that would write that it will not.
  let seq = 0;
  const say = async (): Promise<number> => {
    await operator.config('SET', 'maxmemory', seq % 5 === 0 ? '1' : '0');
    ann.text(conversationId, 'still here');
    seq++;
    await ben.next('message', (message) => message.seq === seq);
    return refusedSoFar();
  };
  await expect.poll(say, { timeout: 60_000 }).toBeGreaterThan(5);
  await operator.config('SET', 'maxmemory', '0');
  await ben.close();
  await seenOnline(ann, idOf(ben), false);
  stack.use(await WireClient.live(server.port, 'ben'));
  await seenOnline(ann, idOf(ben), true);
});
