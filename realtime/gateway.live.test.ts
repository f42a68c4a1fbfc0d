import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { serveSockets, type SocketsUnderTest } from '../tests/sockets-under-test.ts';
import { seeded, seedFor } from '../tests/seed.ts';
import { newId, WireClient } from '../tests/wire-client.ts';
import { redisBus, type RedisBus } from './redis-bus.ts';
import { openRedis, type RedisConnection } from './redis-connection.ts';

let stack: AsyncDisposableStack;
beforeEach(() => void (stack = new AsyncDisposableStack()));
afterEach(() => stack.disposeAsync());

const openEnd = async (channel: string): Promise<{ readonly bus: RedisBus; readonly redis: RedisConnection }> => {
  const redis = await openRedis(inject('redis'), () => undefined);
  stack.defer(() => redis.close());
  const ignore = (): void => undefined;
  const bus = redisBus({ redis, channel, origin: randomBytes(8), dropped: ignore, report: ignore });
  stack.defer(() => bus.close());
  await expect.poll(() => bus.deaf()).toBeUndefined();
  return { bus, redis };
};

/** The router speaks at one end and the gateway hears at another, as in two processes. */
const serveOverRedis = async (
  isLost: () => boolean,
): Promise<SocketsUnderTest & { readonly gatewayRedis: RedisConnection }> => {
  const channel = `parley-test:${randomBytes(8).toString('hex')}`;
  const [routers, gateways] = [await openEnd(channel), await openEnd(channel)];
  const sockets = await serveSockets(stack, {
    bus: () => ({
      publish(message) {
        if (!isLost()) routers.bus.publish(message);
      },
      listen: (listener) => gateways.bus.listen(listener),
    }),
  });
  return { ...sockets, gatewayRedis: gateways.redis };
};

const live = async (port: number, user: string): Promise<WireClient> => stack.use(await WireClient.live(port, user));

const talk = async (port: number): Promise<{ ann: WireClient; ben: WireClient; conversationId: string }> => {
  const [ann, ben] = [await live(port, 'ann'), await live(port, 'ben')];
  const { conversationId } = await ann.ask({ type: 'start-direct', with: { name: 'ben' } });
  await ben.next('conversation');
  return { ann, ben, conversationId };
};

const seqsOf = (client: WireClient): number[] => client.of('message').map(({ seq }) => seq);
const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

test('D13: a Redis that loses 30 % of all batches costs nobody a frame, and shows none twice', async () => {
  const random = seeded(seedFor('D13'));
  let isPlanted = false;
  let lost = 0;
  const { port, warnings } = await serveOverRedis(() => {
    const isLost = isPlanted && random.next() < 0.3;
    if (isLost) lost++;
    return isLost;
  });
  const { ann, ben, conversationId } = await talk(port);
  isPlanted = true;
  for (let sent = 1; sent <= 200; sent++) {
    const messageId = newId();
    ann.text(conversationId, `text ${sent}`, messageId);
    await ann.answerTo(messageId);
  }
  isPlanted = false;
  ann.text(conversationId, 'the end');
  await ben.next('message', ({ seq }) => seq === 201);
  expect(seqsOf(ben)).toEqual(upTo(201));
  expect(lost).toBeGreaterThan(20);
  expect(warnings).toEqual([]);
});

test('D13: a gateway that is cut off from Redis again and again fills each hole, also the one behind the last message', async () => {
  const { port, warnings, gatewayRedis } = await serveOverRedis(() => false);
  const { ann, ben, conversationId } = await talk(port);
  const sent = 60;
  for (let seq = 1; seq <= sent; seq++) {
    if (seq % 20 === 0) {
      gatewayRedis.subscriber.disconnect(true);
    }
    const messageId = newId();
    ann.text(conversationId, `text ${seq}`, messageId);
    await ann.answerTo(messageId);
  }
  await ben.next('message', ({ seq }) => seq === sent);
  expect(seqsOf(ben)).toEqual(upTo(sent));
  expect(warnings).toEqual([]);
});
