import { createHash, hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { LogPosition } from '../schemas/position.ts';

export const linkLength = 32;
/** Before the first event of a chained stream. */
export const firstLink: Uint8Array = new Uint8Array(linkLength);
export const noLink: Uint8Array = new Uint8Array(0);

/** One call on one piece of memory costs half of a hash object with two updates. */
const scratch = Buffer.allocUnsafeSlow(16_384);

/** The link of an event: SHA-256 of the link before it and its envelope. */
export const linkOf = (previous: Uint8Array, envelope: Uint8Array): Buffer => {
  const length = linkLength + envelope.length;
  if (length > scratch.length) return createHash('sha256').update(previous).update(envelope).digest();
  scratch.set(previous, 0);
  scratch.set(envelope, linkLength);
  return hash('sha256', scratch.subarray(0, length), 'buffer');
};

const place = Buffer.allocUnsafeSlow(6 + linkLength);

const originBytes = ({ log, n }: LogPosition): Buffer => {
  const bytes = Buffer.alloc(16 + 6);
  bytes.write(log, 'base64url');
  bytes.writeUIntBE(n, 16, 6);
  return bytes;
};

/**
 * CRC-32 of the envelope, the revision (6 bytes), the link and, of a copied event, the log (16 bytes) and n (6 bytes) that
 * it had: against rot and misplaced rows, not against people.
 */
export const checksumOf = (
  envelope: Uint8Array,
  revision: number,
  link: Uint8Array,
  copiedFrom: LogPosition | undefined,
): number => {
  place.writeUIntBE(revision, 0, 6);
  place.set(link, 6);
  const sum = crc32(place.subarray(0, 6 + link.length), crc32(envelope));
  return copiedFrom === undefined ? sum : crc32(originBytes(copiedFrom), sum);
};
