import { type EventStoreDBClient, START } from '@eventstore/db-client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { message, messages, openClient, watch } from './client.fixture.ts';
import { startStub, type Stub } from './start-stub.ts';

let stub: Stub;
let client: EventStoreDBClient;
beforeEach(async () => {
  stub = await startStub();
  client = openClient(stub.url);
});
afterEach(async () => {
  await client.dispose();
  await stub.stop();
});

/** Of a subscription to all that has caught up with an empty log. */
const live = async (): Promise<(number | string)[]> => {
  const seen = watch(client.subscribeToAll({ fromPosition: START }));
  await expect.poll(() => seen).toEqual(['confirmation', 'caughtUp']);
  return seen;
};
const heard = (count: number, from = 0): number[] => Array.from({ length: count }, (_, i) => from + i);

test('a subscription that falls behind while live is read to again, and told when it has caught up', async () => {
  const seen = await live();
  await client.appendToStream('a', messages(0, 300));
  await expect.poll(() => seen).toEqual(['confirmation', 'caughtUp', ...heard(300), 'caughtUp']);
});

test('a reader that pauses over thousands of events has them all, in order, and is not ended', async () => {
  const subscription = client.subscribeToAll({ fromPosition: START });
  const seen = watch(subscription);
  await expect.poll(() => seen).toEqual(['confirmation', 'caughtUp']);
  subscription.pause();
  for (let n = 0; n < 4_000; n += 500) await client.appendToStream('a', messages(n, 500));
  subscription.resume();
  const numbers = () => seen.filter((one) => typeof one === 'number');
  await expect.poll(() => numbers().length).toBe(4_000);
  expect(numbers()).toEqual(heard(4_000));
});

test('one that falls behind while live is ended, when slow subscribers are; a new one from there has the rest', async () => {
  await stub.behave({ slowSubscribers: 'ended' });
  const subscription = client.subscribeToAll({ fromPosition: START });
  const seen = watch(subscription);
  const reason = new Promise<Error>((resolve) => subscription.once('error', resolve));
  await expect.poll(() => seen).toEqual(['confirmation', 'caughtUp']);
  await client.appendToStream('a', messages(0, 10));
  await expect.poll(() => seen).toEqual(['confirmation', 'caughtUp', ...heard(10)]);
  await client.appendToStream('a', messages(10, 300));
  expect((await reason).message).toMatch(/^10 ABORTED: .*Consumer too slow to handle event while live/);
  const again = watch(client.subscribeToStream('a', { fromRevision: 9n }));
  await expect.poll(() => again).toEqual(['confirmation', ...heard(300, 10), 'caughtUp']);
});

test('subscriptions are ended on command, as if too slow', async () => {
  const seen = await live();
  await stub.endSubscriptions();
  await expect.poll(() => seen.at(-1)).toBe('TimeoutError 10');
});

test('subscriptions are ended by chance, and no event is lost to one that goes on from the last it had', async () => {
  await stub.behave({ subscriptionEndedOneIn: 4 });
  const handled: number[] = [];
  let endings = 0;
  const follow = (): void => {
    const from = handled.length === 0 ? START : BigInt(handled.length - 1);
    client
      .subscribeToStream('a', { fromRevision: from })
      .on('data', ({ event }) => handled.push((event?.data as { n: number }).n))
      .on('error', () => {
        endings += 1;
        follow();
      });
  };
  follow();
  for (const n of heard(60)) await client.appendToStream('a', message(n));
  await expect.poll(() => handled).toEqual(heard(60));
  expect(endings).toBeGreaterThan(0);
});

test('a subscription is told that it has caught up again and again', async () => {
  const seen = await live();
  await stub.behave({ caughtUpOneIn: 1 });
  for (const n of heard(3)) await client.appendToStream('a', message(n));
  await expect.poll(() => seen).toEqual(['confirmation', 'caughtUp', 0, 'caughtUp', 1, 'caughtUp', 2, 'caughtUp']);
});

test('a subscription from past the end is deaf until the log has grown past there', async () => {
  const { position } = await client.appendToStream('a', message(0));
  if (!position) throw new Error('no position');
  const beyond = { commit: position.commit + 300n, prepare: position.prepare + 300n };
  const seen = watch(client.subscribeToAll({ fromPosition: beyond }));
  await expect.poll(() => seen).toEqual(['confirmation', 'caughtUp']);
  await client.appendToStream('a', messages(1, 9));
  await expect.poll(() => seen.at(-1)).toBe(9);
  expect(seen).not.toContain(1);
});

test('a subscription from past the end hears what is new, when it is not deaf', async () => {
  const { position } = await client.appendToStream('a', message(0));
  if (!position) throw new Error('no position');
  await stub.behave({ pastTheEnd: 'heard' });
  const beyond = { commit: position.commit + 1_000_000n, prepare: position.prepare + 1_000_000n };
  const seen = watch(client.subscribeToAll({ fromPosition: beyond }));
  await expect.poll(() => seen).toEqual(['confirmation', 'caughtUp']);
  await client.appendToStream('a', message(1));
  await expect.poll(() => seen).toEqual(['confirmation', 'caughtUp', 1]);
});

test('a subscription that is reset ends with 13', async () => {
  const subscription = client.subscribeToAll({ fromPosition: START });
  const seen = watch(subscription);
  const reason = new Promise<Error>((resolve) => subscription.once('error', resolve));
  await expect.poll(() => seen).toEqual(['confirmation', 'caughtUp']);
  await stub.resetSubscriptions();
  expect((await reason).message).toContain('13 INTERNAL: Received RST_STREAM with code 0');
  expect(seen.at(-1)).toBe('UnknownError 13');
});

test('a subscription ends with its connection', async () => {
  const seen = await live();
  await stub.cutConnections();
  await expect.poll(() => seen.at(-1)).toBe('UnavailableError 14');
});
