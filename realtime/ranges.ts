import { z } from 'zod';
import type { RoutedBatch } from './bus.ts';
import { decodeBusMessage, encodeBusMessage } from './bus-wire.ts';

/** Where a router answers for what a gateway missed. */
export const rangesPath = '/internal/range';

const place = z
  .string()
  .regex(/^[0-9]{1,16}$/)
  .transform(Number)
  .pipe(z.int().min(0));
/** Without `through`: up to where the router is. */
export const rangeQuery = z.strictObject({ from: place, through: place.optional() });

/** More of it is not worth routing again: sessions pull for themselves. */
export const mostRangeBytes = 64 * 1_024 * 1_024;
const lengthBytes = 4;

export class RangeTooLong extends Error {
  override readonly name = 'RangeTooLong';
}

/** Each batch with its length before it. Throws `RangeTooLong`. */
export const encodeRange = (batches: readonly RoutedBatch[]): Buffer => {
  const parts: Buffer[] = [];
  let bytes = 0;
  for (const batch of batches) {
    const encoded = encodeBusMessage(batch);
    const length = Buffer.alloc(lengthBytes);
    length.writeUInt32BE(encoded.length);
    parts.push(length, encoded);
    bytes += lengthBytes + encoded.length;
    if (bytes > mostRangeBytes) throw new RangeTooLong(`more than ${mostRangeBytes} bytes are too many to give again`);
  }
  return Buffer.concat(parts);
};

/** Throws for whatever is no range. */
export const decodeRange = (encoded: Buffer): readonly RoutedBatch[] => {
  const batches: RoutedBatch[] = [];
  for (let at = 0; at < encoded.length;) {
    const begin = at + lengthBytes;
    const end = begin + encoded.readUInt32BE(at);
    const message = end > encoded.length ? undefined : decodeBusMessage(encoded.subarray(begin, end));
    if (message?.is !== 'batch') throw new Error('a router answered with something that is no range');
    batches.push(message);
    at = end;
  }
  return batches;
};
