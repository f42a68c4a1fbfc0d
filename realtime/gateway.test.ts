import { afterEach, beforeEach, expect, test } from 'vitest';
import type { EventLog } from '../event-log/event-log.ts';
import { asPort, serveSockets } from '../tests/sockets-under-test.ts';
import { seeded, seedFor } from '../tests/seed.ts';
import { newId, WireClient } from '../tests/wire-client.ts';
import type { Bus } from './bus.ts';

let stack: AsyncDisposableStack;
beforeEach(() => (stack = new AsyncDisposableStack()));
afterEach(() => stack.disposeAsync());

const live = async (port: number, user: string, device = 'phone', cursor: string | null = null): Promise<WireClient> =>
  stack.use(await WireClient.live(port, user, device, cursor));

/** A bus on which `plant` says how often what is published arrives. */
const planted =
  (plant: () => number) =>
  (bus: Bus): Bus => ({
    publish(message) {
      for (let times = plant(); times > 0; times--) bus.publish(message);
    },
    listen: (listener) => bus.listen(listener),
  });

test('D13: a bus that drops and doubles 30 % of all batches costs nobody a frame, and shows none twice', async () => {
  const random = seeded(seedFor('D13'));
  let isPlanted = false;
  const counted = { dropped: 0, doubled: 0 };
  const bus = planted(() => {
    const drawn = isPlanted ? random.next() : 1;
    if (drawn < 0.3) counted.dropped++;
    else if (drawn < 0.6) counted.doubled++;
    return drawn < 0.3 ? 0 : drawn < 0.6 ? 2 : 1;
  });
  const { port, warnings } = await serveSockets(stack, { bus });
  const [ann, ben] = [await live(port, 'ann'), await live(port, 'ben')];
  const laptop = await live(port, 'ann', 'laptop');
  const { conversationId } = await ann.ask({ type: 'start-direct', with: { name: 'ben' } });
  await Promise.all([ben, laptop].map((one) => one.next('conversation')));
  isPlanted = true;
  for (let sent = 1; sent <= 300; sent++) {
    const messageId = newId();
    ann.text(conversationId, `text ${sent}`, messageId);
    await ann.answerTo(messageId);
    if (sent % 20 === 0) {
      ben.send({ type: 'mark', conversationId, read: sent });
      await ben.next('marked');
    }
    if (sent % 50 === 0) await ben.save({ type: 'change-chat-settings', conversationId, pinned: sent % 100 === 0 });
  }
  isPlanted = false;
  ann.text(conversationId, 'the end');
  for (const one of [ben, laptop]) {
    await one.next('message', ({ seq }) => seq === 301);
    expect(one.of('message').map(({ seq }) => seq)).toEqual(Array.from({ length: 301 }, (_, index) => index + 1));
  }
  const readsSeen = laptop.of('receipts').flatMap(({ marks }) => marks.map(({ read }) => read));
  expect(readsSeen).toEqual(Array.from({ length: 15 }, (_, index) => (index + 1) * 20));
  expect(ben.of('chat-settings').map(({ pinned }) => pinned)).toEqual([true, false, true, false, true].toReversed());
  expect(ann.of('message')).toEqual([]);
  expect([counted.dropped > 20, counted.doubled > 20]).toEqual([true, true]);
  expect(warnings).toEqual([]);
});

test('D13: where no router has what was missed, sessions pull it for themselves, and the device is told it has it only then', async () => {
  let isDropping = false;
  let isRangeAway = false;
  const away = (log: EventLog): EventLog => ({
    ...asPort(log),
    tail(options) {
      const tail = log.tail(options);
      const isThis = isRangeAway;
      isRangeAway = false;
      return {
        pull: () => (isThis ? Promise.reject(new Error('no router answers')) : tail.pull()),
        pullNow: () => (isThis ? undefined : tail.pullNow()),
      };
    },
  });
  const bus = planted(() => (isDropping ? 0 : 1));
  const { port, warnings, tick } = await serveSockets(stack, { bus, log: away });
  const [ann, ben] = [await live(port, 'ann'), await live(port, 'ben')];
  const { conversationId } = await ann.ask({ type: 'start-direct', with: { name: 'ben' } });
  await ben.next('conversation');
  isDropping = true;
  for (const text of ['one', 'two']) {
    const messageId = newId();
    ann.text(conversationId, text, messageId);
    await ann.answerTo(messageId);
  }
  const before = ben.of('synced').length;
  for (let second = 0; second < 3; second++) {
    tick();
    ben.send({ type: 'ping' });
    await ben.next('pong');
  }
  expect(ben.of('message')).toEqual([]);
  isDropping = false;
  isRangeAway = true;
  ann.text(conversationId, 'three');
  await ben.next('message', ({ seq }) => seq === 3);
  expect(ben.of('message').map(({ seq }) => seq)).toEqual([1, 2, 3]);
  const synced = await ben.next('synced');
  expect(synced.caughtUp).toBe(true);
  expect(ben.of('synced').length).toBeGreaterThan(before);
  expect(warnings).toEqual(['a hole was not filled: sessions pull']);
  // The cursor covers all of it: nothing comes again.
  const again = await live(port, 'ben', 'tablet', synced.cursor);
  expect(again.of('message')).toEqual([]);
});
