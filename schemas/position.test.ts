import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeCursor, decodeReadAfter, encodeCursor, encodeReadAfter, logId, type Cursor } from './position.ts';

const log = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => logId.parse(Buffer.from(bytes).toString('base64url')));
const cursors: fc.Arbitrary<Cursor> = fc
  .array(fc.tuple(log, fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })), { minLength: 1, maxLength: 16 })
  .map((entries) => new Map(entries));

test('a cursor comes back from its opaque form', () => {
  fc.assert(
    fc.property(cursors, (cursor) => {
      expect(decodeCursor(encodeCursor(cursor))).toEqual(cursor);
    }),
  );
});

test('a read-after token comes back with positions and slots', () => {
  const slots = fc.array(fc.integer({ min: 0, max: 63 }), { minLength: 1, maxLength: 64 });
  fc.assert(
    fc.property(cursors, slots, (positions, touched) => {
      expect(decodeReadAfter(encodeReadAfter({ positions, slots: touched }))).toEqual({ positions, slots: touched });
    }),
  );
});

test('whatever else comes as a cursor or token is undefined, never an exception', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((text) => `1.${text}`),
        fc.string().map((text) => `1.0.${text}`),
      ),
      (text) => {
        const cursor = decodeCursor(text);
        if (cursor !== undefined) expect(decodeCursor(encodeCursor(cursor))).toEqual(cursor);
        const token = decodeReadAfter(text);
        if (token !== undefined) expect(decodeReadAfter(encodeReadAfter(token))).toEqual(token);
      },
    ),
  );
  for (const text of [
    '',
    '1.',
    '2.AAAAAAAAAAAAAAAAAAAAAA:1',
    '1.AAAAAAAAAAAAAAAAAAAAAA:zzzzzzzzzzz',
    '1.AAAAAAAAAAAAAAAAAAAAAA:-1',
  ]) {
    expect(decodeCursor(text)).toBeUndefined();
  }
});
