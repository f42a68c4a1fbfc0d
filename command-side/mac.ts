import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import type { DataKey } from '../event-log/data-keys.ts';
import type { CommandId } from '../schemas/ids.ts';

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** JSON with sorted keys and without undefined fields: equal bodies have equal text, whatever order they came in. */
export const canonicalJson = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  let fields = '';
  for (const name of Object.keys(value).sort()) {
    const field = value[name];
    if (field !== undefined) fields += `${fields === '' ? '' : ','}${JSON.stringify(name)}:${canonicalJson(field)}`;
  }
  return `{${fields}}`;
};

/** Keyed by the data key itself, so that a derived key lives no longer than it. */
const derived = new WeakMap<DataKey, KeyObject>();

const macKeyOf = (dataKey: DataKey): KeyObject => {
  const known = derived.get(dataKey);
  if (known !== undefined) return known;
  const key = createSecretKey(Buffer.from(hkdfSync('sha256', dataKey.key, '', 'parley command mac 1', 32)));
  derived.set(dataKey, key);
  return key;
};

/**
 * Tells whether a command that comes again is the same one, without keeping its body: HMAC-SHA256 of id and body under
 * a key derived from the author's, which goes when the author is erased. 16 bytes as base64url.
 */
export const macOf = (author: DataKey, id: CommandId, body: unknown): string =>
  createHmac('sha256', macKeyOf(author)).update(id).update(canonicalJson(body)).digest().toString('base64url', 0, 16);
