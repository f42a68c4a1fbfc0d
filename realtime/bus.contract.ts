import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { logId } from '../schemas/position.ts';
import { conversationId, userId } from '../schemas/ids.ts';
import type { Bus, BusMessage, RoutedBatch } from './bus.ts';
import { LazyFrame } from './lazy-frame.ts';
import { textFrame } from './text-frame.ts';

export interface BusUnderTest {
  /** Two ends of one bus, as two processes have them; they may be the same. */
  readonly bus: Bus;
  readonly otherEnd: Bus;
  readonly close: () => Promise<void>;
}

const log = logId.parse('log'.padEnd(21, '_') + 'A');
const ada = userId.parse('ada'.padEnd(21, '_') + 'A');

const batch = (through: number): RoutedBatch => ({
  is: 'batch',
  channel: 0,
  from: through - 1,
  through,
  position: { log, n: through },
  deliveries: [
    {
      is: 'frame',
      place: through,
      time: 1_000 + through,
      receivers: [ada],
      frame: new LazyFrame(() => textFrame(`frame ${through}`)),
      whole: undefined,
      hidden: undefined,
      sent: undefined,
      left: undefined,
      alters: undefined,
    },
    { is: 'presence', place: through, user: ada, event: { type: 'went-offline', lastSeen: 7 }, version: 2 },
    { is: 'account', place: through, user: ada, event: { type: 'user-erased' }, revision: 3, frame: undefined },
  ],
});

const typed: BusMessage = {
  is: 'typed',
  by: ada,
  conversationId: conversationId.parse('chat'.padEnd(21, '_') + 'A'),
  receivers: [ada],
  frame: new LazyFrame(() => textFrame('ada types')),
};

/** What a listener can tell of a message. */
const shown = (message: BusMessage): unknown => {
  if (message.is === 'typed') return { ...message, frame: message.frame.bytes.toString('hex') };
  const { deliveries, ...whole } = message;
  return {
    ...whole,
    deliveries: deliveries.map((delivery) =>
      delivery.is === 'frame' ? { ...delivery, frame: delivery.frame.bytes.toString('hex') } : delivery,
    ),
  };
};

/** What a bus keeps, wherever its ends are. */
export const busContract = (name: string, newBus: () => Promise<BusUnderTest>): void => {
  describe(`bus: ${name}`, () => {
    let under: BusUnderTest;
    beforeEach(async () => {
      under = await newBus();
    });
    afterEach(() => under.close());

    /** Hears everything up to a batch through `last`. */
    const hearing = (bus: Bus, last: number): Promise<readonly BusMessage[]> =>
      new Promise((resolve) => {
        const heard: BusMessage[] = [];
        const stop = bus.listen((one) => {
          heard.push(one);
          if (one.is !== 'batch' || one.through !== last) return;
          stop();
          resolve(heard);
        });
      });

    test('all who listen hear every message whole and in order', async () => {
      const all = Promise.all([hearing(under.bus, 50), hearing(under.otherEnd, 50), hearing(under.otherEnd, 50)]);
      const messages = [typed, ...Array.from({ length: 50 }, (_, index) => batch(index + 1))];
      for (const one of messages) under.bus.publish(one);
      for (const heard of await all) expect(heard.map(shown)).toEqual(messages.map(shown));
    });

    test('who has stopped, or came later, hears nothing of it', async () => {
      const heard: unknown[] = [];
      const stop = under.otherEnd.listen((message) => heard.push(shown(message)));
      const first = hearing(under.otherEnd, 1);
      under.bus.publish(batch(1));
      await first;
      stop();
      stop();
      const second = hearing(under.otherEnd, 2);
      under.bus.publish(batch(2));
      expect((await second).map(shown)).toEqual([shown(batch(2))]);
      expect(heard).toEqual([shown(batch(1))]);
    });

    test('a listener that throws disturbs neither the publisher nor the others', async () => {
      under.bus.listen(() => {
        throw new Error('a listener fails');
      });
      const heard = hearing(under.bus, 2);
      for (const through of [1, 2]) under.bus.publish(batch(through));
      expect(await heard).toHaveLength(2);
    });
  });
};
