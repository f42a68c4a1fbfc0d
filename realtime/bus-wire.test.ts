import fc from 'fast-check';
import { expect, test } from 'vitest';
import { busContract } from './bus.contract.ts';
import { decodeBusMessage, encodeBusMessage } from './bus-wire.ts';
import type { Bus, Typed } from './bus.ts';
import { conversationId, userId } from '../schemas/ids.ts';
import { LazyFrame } from './lazy-frame.ts';
import { memoryBus } from './memory-bus.ts';

busContract('memory, as bytes', async () => {
  const memory = memoryBus(() => undefined);
  const bus: Bus = {
    publish(message) {
      const arrived = decodeBusMessage(encodeBusMessage(message));
      if (arrived !== undefined) memory.publish(arrived);
    },
    listen: (listener) => memory.listen(listener),
  };
  return { bus, otherEnd: bus, close: () => Promise.resolve() };
});

const ada = userId.parse('ada'.padEnd(21, '_') + 'A');
const typed: Typed = {
  is: 'typed',
  by: ada,
  conversationId: conversationId.parse('chat'.padEnd(21, '_') + 'A'),
  receivers: [ada],
  frame: new LazyFrame(() => Buffer.from('frame')),
};

test('bytes of another version, or damaged ones, are no message and no fault', () => {
  const encoded = encodeBusMessage(typed);
  expect(decodeBusMessage(Buffer.concat([Buffer.of(1), encoded.subarray(1)]))).toBeUndefined();
  for (let length = 0; length < encoded.length; length++) {
    expect(decodeBusMessage(encoded.subarray(0, length))).toBeUndefined();
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(decodeBusMessage(Buffer.from([2, ...bytes]))).toBeUndefined();
    }),
  );
});
