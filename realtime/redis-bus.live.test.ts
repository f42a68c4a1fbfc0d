import { randomBytes } from 'node:crypto';
import { expect, inject, onTestFinished, test } from 'vitest';
import { busContract } from './bus.contract.ts';
import type { BusMessage } from './bus.ts';
import { logId } from '../schemas/position.ts';
import { redisBus, type RedisBus } from './redis-bus.ts';
import { openRedis, type RedisConnection } from './redis-connection.ts';

interface End {
  readonly bus: RedisBus;
  readonly redis: RedisConnection;
  readonly lost: () => number;
}

const openEnd = async (channel: string, stack: AsyncDisposableStack): Promise<End> => {
  const redis = await openRedis(inject('redis'), () => undefined);
  stack.defer(() => redis.close());
  let lost = 0;
  const dropped = (): void => {
    lost++;
  };
  const bus = redisBus({ redis, channel, origin: randomBytes(8), dropped, report: () => undefined });
  stack.defer(() => bus.close());
  await expect.poll(() => bus.deaf()).toBeUndefined();
  return { bus, redis, lost: () => lost };
};

const newChannel = (): string => `parley-test:${randomBytes(8).toString('hex')}`;

busContract('redis', async () => {
  const stack = new AsyncDisposableStack();
  const channel = newChannel();
  const [{ bus }, { bus: otherEnd }] = [await openEnd(channel, stack), await openEnd(channel, stack)];
  return { bus, otherEnd, close: () => stack.disposeAsync() };
});

const log = logId.parse('log'.padEnd(21, '_') + 'A');
const batch = (through: number): BusMessage => ({
  is: 'batch',
  channel: 0,
  from: through - 1,
  through,
  position: { log, n: through },
  deliveries: [],
});

test('D13: who missed the last batch hears within a second how far it went', async () => {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const channel = newChannel();
  const speaker = await openEnd(channel, stack);
  speaker.bus.publish(batch(7));
  const late = await openEnd(channel, stack);
  const heard = await new Promise<BusMessage>((resolve) => void late.bus.listen(resolve));
  expect(heard).toEqual({ ...batch(7), from: 7 });
});

test('what others publish on the channel is no message and no fault', async () => {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const channel = newChannel();
  const [one, other] = [await openEnd(channel, stack), await openEnd(channel, stack)];
  const heard: BusMessage[] = [];
  const done = new Promise<void>((resolve) => {
    other.bus.listen((message) => {
      heard.push(message);
      resolve();
    });
  });
  for (const bytes of ['', 'x', randomBytes(5_000)]) await one.redis.commands.publish(channel, bytes);
  one.bus.publish(batch(1));
  await done;
  expect(heard).toEqual([batch(1)]);
});

test('D12: a hundred lost connections leave listeners, timers and connections as they were, and the bus hears again', async () => {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const channel = newChannel();
  const [one, other] = [await openEnd(channel, stack), await openEnd(channel, stack)];
  const { commands, subscriber } = other.redis;
  const resources = (kind: string): number => process.getActiveResourcesInfo().filter((name) => name === kind).length;
  const held = () => ({
    listeners: [commands, subscriber].map((client) => client.eventNames().map((name) => client.listenerCount(name))),
    sockets: resources('TCPSocketWrap'),
    timers: resources('Timeout'),
  });
  const arrives = async (through: number): Promise<void> => {
    const heard = new Promise<void>((resolve) => {
      const stop = other.bus.listen((message) => {
        if (message.is !== 'batch' || message.through < through) return;
        stop();
        resolve();
      });
    });
    one.bus.publish(batch(through));
    await heard;
  };
  await arrives(1);
  // Asked as it is asked in the end: asking takes a timer itself.
  let before = held();
  await expect.poll(() => (before = held()).sockets).toBeGreaterThanOrEqual(4);
  for (let round = 1; round <= 100; round++) {
    const closed = [commands, subscriber].map((client) => new Promise((resolve) => client.once('close', resolve)));
    for (const client of [commands, subscriber]) client.disconnect(true);
    await Promise.all(closed);
    await expect.poll(() => other.redis.away() ?? other.bus.deaf(), { interval: 5 }).toBeUndefined();
  }
  await arrives(2);
  const { timers, ...rest } = before;
  await expect.poll(held).toMatchObject(rest);
  // A command under way has one, now or then.
  expect(held().timers).toBeLessThanOrEqual(timers + 2);
});
