import { createHmac, createSecretKey, hkdfSync, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DataKey } from '../event-log/data-keys.ts';
import { commandId, uuidV7 } from '../schemas/ids.ts';
import { canonicalJson, macOf } from './mac.ts';

const someKey = (): DataKey => ({ name: randomBytes(16).toString('base64url'), key: createSecretKey(randomBytes(32)) });
const id = commandId.parse(uuidV7(1, randomBytes(10)));

const shuffled = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(shuffled);
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, part]) => [key, shuffled(part)]),
  );
};

test('canonical JSON means the same whatever order the keys came in, and reads back as what it was', () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      expect(canonicalJson(shuffled(value))).toBe(canonicalJson(value));
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
  expect(canonicalJson({ b: undefined, a: 1 })).toBe('{"a":1}');
});

test('a mac is 16 bytes, and another for another body, id or author', () => {
  const author = someKey();
  const mac = macOf(author, id, { type: 'send', text: 'x' });
  expect(mac).toMatch(/^[A-Za-z0-9_-]{21}[AQgw]$/);
  expect(macOf(author, id, { text: 'x', type: 'send' })).toBe(mac);
  expect(macOf(author, id, { type: 'send', text: 'y' })).not.toBe(mac);
  expect(macOf(author, commandId.parse(uuidV7(2, randomBytes(10))), { type: 'send', text: 'x' })).not.toBe(mac);
  expect(macOf(someKey(), id, { type: 'send', text: 'x' })).not.toBe(mac);
});

test('the mac is the HMAC-SHA256 of RFC 2104 at every length', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), fc.constantFrom(1, 100, 1_000), (text, times) => {
      const author = someKey();
      const key = Buffer.from(hkdfSync('sha256', author.key, '', 'parley command mac 1', 32));
      const body = { text: text.repeat(times) };
      const expected = createHmac('sha256', key).update(id).update(canonicalJson(body)).digest();
      expect(macOf(author, id, body)).toBe(expected.toString('base64url', 0, 16));
    }),
  );
});
