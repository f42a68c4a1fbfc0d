import { Encoder } from 'cbor-x';
import { z } from 'zod';
import { commandId, conversationId, userId } from '../schemas/ids.ts';
import { absent } from '../schemas/parse.ts';
import { logId } from '../schemas/position.ts';
import { presenceEvent } from '../schemas/presence-events.ts';
import { userEvent } from '../schemas/user-events.ts';
import type { BusMessage, Delivery } from './bus.ts';
import { LazyFrame } from './lazy-frame.ts';

/** Rises when a process of before could take a message for something else. */
const version = 2;

const cbor = new Encoder({ useRecords: false, mapsAsObjects: true, tagUint8Array: false });

const place = z.int().min(0);
const bytes = z.instanceof(Uint8Array).transform((given) => Buffer.from(given.buffer, given.byteOffset, given.length));
const frame = bytes.transform((encoded) => new LazyFrame(() => encoded));

const delivery = z.discriminatedUnion('is', [
  z.object({
    is: z.literal('frame'),
    place,
    time: z.int(),
    receivers: z.array(userId),
    frame,
    whole: absent(z.object({ isFor: userId, frame })),
    hidden: absent(z.object({ by: userId, frame })),
    sent: absent(z.object({ by: userId, messageId: commandId })),
    left: absent(userId),
    alters: absent(conversationId),
  }),
  z.object({
    is: z.literal('account'),
    place,
    user: userId,
    event: userEvent,
    revision: z.int().min(0),
    frame: absent(bytes),
  }),
  z.object({ is: z.literal('presence'), place, user: userId, event: presenceEvent, version: z.int().min(0) }),
]);

const busMessage = z.discriminatedUnion('is', [
  z.object({
    is: z.literal('batch'),
    channel: z.int().min(0),
    from: place,
    through: place,
    position: z.object({ log: logId, n: place }),
    deliveries: z.array(delivery),
  }),
  z.object({ is: z.literal('typed'), by: userId, conversationId, receivers: z.array(userId), frame }),
]);

const encodedDelivery = (one: Delivery): object => {
  if (one.is !== 'frame') return one;
  const { frame: own, whole, hidden } = one;
  return {
    ...one,
    frame: own.bytes,
    whole: whole && { isFor: whole.isFor, frame: whole.frame.bytes },
    hidden: hidden && { by: hidden.by, frame: hidden.frame.bytes },
  };
};

/** A message of the bus between processes. */
export const encodeBusMessage = (message: BusMessage): Buffer => {
  const encoded =
    message.is === 'typed'
      ? { ...message, frame: message.frame.bytes }
      : { ...message, deliveries: message.deliveries.map(encodedDelivery) };
  return Buffer.concat([Buffer.of(version), cbor.encode(encoded)]);
};

/** undefined: nothing this process understands. It counts as lost, and the hole is filled from the log. */
export const decodeBusMessage = (encoded: Buffer): BusMessage | undefined => {
  if (encoded[0] !== version) return undefined;
  let decoded: unknown;
  try {
    decoded = cbor.decode(encoded.subarray(1));
  } catch {
    return undefined;
  }
  const read = busMessage.safeParse(decoded);
  return read.success ? read.data : undefined;
};
