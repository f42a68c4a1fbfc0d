import { expect, test } from 'vitest';
import fc from 'fast-check';
import { commandId, conversationId, place, slotOf, timeOfUuid, userId, uuidV7 } from './ids.ts';

const idOfBytes = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
const sixteenBytes = fc.uint8Array({ minLength: 16, maxLength: 16 });

test('a UUIDv7 keeps its time, is valid and sorts by time', () => {
  const random = fc.uint8Array({ minLength: 10, maxLength: 10 });
  const time = fc.integer({ min: 0, max: 2 ** 48 - 1 });
  fc.assert(
    fc.property(time, time, random, (earlier, later, bytes) => {
      const id = uuidV7(earlier, bytes);
      expect(commandId.parse(id)).toBe(id);
      expect(timeOfUuid(id)).toBe(earlier);
      if (earlier < later) expect(id < uuidV7(later, bytes)).toBe(true);
    }),
  );
});

test('an id in upper case is folded: one id has one spelling', () => {
  expect(commandId.parse('01939C5E-7A1B-7000-8000-00000000ABCD')).toBe('01939c5e-7a1b-7000-8000-00000000abcd');
});

test.each([
  ['a UUIDv4', 'f47ac10b-58cc-4372-a567-0e02b2c3d479'],
  ['braces', '{01939c5e-7a1b-7000-8000-00000000abcd}'],
  ['nothing', ''],
])('refuses %s as a command id', (_, text) => {
  expect(commandId.safeParse(text).success).toBe(false);
});

test('every 16 bytes have exactly one spelling as a user or conversation id', () => {
  fc.assert(
    fc.property(sixteenBytes, (bytes) => {
      const id = idOfBytes(bytes);
      expect(userId.parse(id)).toBe(id);
      const spellings = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_').filter(
        (last) => conversationId.safeParse(id.slice(0, 21) + last).success,
      );
      expect(spellings.sort()).toEqual(['A', 'Q', 'g', 'w']);
    }),
  );
});

test('the place of an id is in its first two bytes: 6 bits of realm, 10 of bucket', () => {
  fc.assert(
    fc.property(sixteenBytes, (bytes) => {
      const id = userId.parse(idOfBytes(bytes));
      const firstTwo = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
      expect(place(id)).toEqual({ realm: firstTwo >> 10, bucket: firstTwo & 1023 });
      expect(slotOf(id)).toBe((firstTwo & 1023) % 64);
    }),
  );
});
