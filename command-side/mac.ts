import { hash, hkdfSync } from 'node:crypto';
import type { DataKey } from '../event-log/data-keys.ts';
import type { CommandId } from '../schemas/ids.ts';

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** By insertion, in place: a body of a strict schema has a handful of keys, for which `sort` costs more than the rest. */
const sortedKeys = (value: Readonly<Record<string, unknown>>): readonly string[] => {
  const names = Object.keys(value);
  for (let end = 1; end < names.length; end++) {
    const name = names[end] ?? '';
    let at = end;
    for (; at > 0 && (names[at - 1] ?? '') > name; at--) names[at] = names[at - 1] ?? '';
    names[at] = name;
  }
  return names;
};

/** JSON with sorted keys and without undefined fields: equal bodies have equal text, whatever order they came in. */
export const canonicalJson = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  let fields = '';
  for (const name of sortedKeys(value)) {
    const field = value[name];
    if (field !== undefined) fields += `${fields === '' ? '' : ','}${JSON.stringify(name)}:${canonicalJson(field)}`;
  }
  return `{${fields}}`;
};

/** The two padded keys of HMAC (RFC 2104). */
interface MacKey {
  readonly inner: Buffer;
  readonly outer: Buffer;
}

const blockLength = 64;
const digestLength = 32;
const macLength = 16;

/** Keyed by the data key itself, so that a derived key lives no longer than it. */
const derived = new WeakMap<DataKey, MacKey>();

const macKeyOf = (dataKey: DataKey): MacKey => {
  const known = derived.get(dataKey);
  if (known !== undefined) return known;
  const key = Buffer.alloc(blockLength);
  key.set(new Uint8Array(hkdfSync('sha256', dataKey.key, '', 'parley command mac 1', digestLength)));
  const padded = {
    inner: Buffer.from(key.map((byte) => byte ^ 0x36)),
    outer: Buffer.from(key.map((byte) => byte ^ 0x5c)),
  };
  derived.set(dataKey, padded);
  return padded;
};

/** One piece of memory, hashed in one call: an Hmac object costs three times as much for a short message. */
const scratch = Buffer.allocUnsafeSlow(16_384);
const outerScratch = Buffer.allocUnsafeSlow(blockLength + digestLength);

const innerHash = ({ inner }: MacKey, message: string): Buffer => {
  const most = blockLength + message.length * 3;
  const bytes = most <= scratch.length ? scratch : Buffer.allocUnsafeSlow(most);
  bytes.set(inner);
  return hash('sha256', bytes.subarray(0, blockLength + bytes.write(message, blockLength)), 'buffer');
};

/**
 * Tells whether a command that comes again is the same one, without keeping its body: HMAC-SHA256 of id and body under
 * a key derived from the author's, which goes when the author is erased. 16 bytes as base64url.
 */
export const macOf = (author: DataKey, id: CommandId, body: unknown): string => {
  const key = macKeyOf(author);
  outerScratch.set(key.outer);
  outerScratch.set(innerHash(key, id + canonicalJson(body)), blockLength);
  return hash('sha256', outerScratch, 'buffer').toString('base64url', 0, macLength);
};
