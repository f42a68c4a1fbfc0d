import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commandId, place, userId, uuidV7, type UserId } from '../schemas/ids.ts';
import { deriveDirectId, deriveGroupId, deriveUserId } from './derive-ids.ts';

const installKey = Buffer.alloc(32, 1);
const user = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => userId.parse(Buffer.from(bytes).toString('base64url')));
const words = fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' });

test('a user’s id depends on the install key, the issuer and the name, and on nothing else', () => {
  fc.assert(
    fc.property(words, words, words, (issuer, name, more) => {
      const id = deriveUserId(installKey, issuer, name);
      expect(deriveUserId(installKey, issuer, name)).toBe(id);
      expect(deriveUserId(Buffer.alloc(32, 2), issuer, name)).not.toBe(id);
      expect(deriveUserId(installKey, issuer + more, name)).not.toBe(deriveUserId(installKey, issuer, more + name));
      expect(place(id).realm).toBe(0);
    }),
  );
});

test('a one-to-one conversation is the same from both sides, and lies in the realm of the smaller user', () => {
  fc.assert(
    fc.property(user, user, (one, other) => {
      const id = deriveDirectId(one, other);
      expect(deriveDirectId(other, one)).toBe(id);
      const [smaller] = [one, other].toSorted((a, b) =>
        Buffer.compare(Buffer.from(a, 'base64url'), Buffer.from(b, 'base64url')),
      );
      expect(place(id).realm).toBe(place(smaller ?? one).realm);
    }),
  );
});

test('a group depends on its creator and the command, and lies in the realm of the creator', () => {
  const creator = (): UserId => userId.parse(randomBytes(16).toString('base64url'));
  const id = commandId.parse(uuidV7(1, randomBytes(10)));
  const [one, other] = [creator(), creator()];
  expect(deriveGroupId(one, id)).toBe(deriveGroupId(one, id));
  expect(deriveGroupId(one, id)).not.toBe(deriveGroupId(other, id));
  expect(place(deriveGroupId(one, id)).realm).toBe(place(one).realm);
});

test('buckets are spread evenly', () => {
  const counts = new Map<number, number>();
  for (let i = 0; i < 64_000; i++) {
    const slot = place(deriveUserId(installKey, 'issuer', `user ${i}`)).bucket % 64;
    counts.set(slot, (counts.get(slot) ?? 0) + 1);
  }
  expect(counts.size).toBe(64);
  for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThan(200);
});
