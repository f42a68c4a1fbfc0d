import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eventTypes, keySubjectOf, type NewEvent, type ParleyEvent } from '../schemas/events.ts';
import type { StreamName } from '../schemas/streams.ts';
import { decodeEvent, encodeEvent, personalBytes } from './codec.ts';
import { dataKeysInMemory } from './data-keys.fixture.ts';
import { pooledNonces } from './encryption.ts';
import { encodeEnvelope, keyNamesIn, parseEnvelope } from './envelope.ts';
import { LogDamaged } from './event-log.ts';
import { anyId, anyNewEvent } from './events.fixture.ts';

const nonces = pooledNonces(randomBytes);
const key = dataKeysInMemory(randomBytes).create(
  'user:somebody' as Parameters<ReturnType<typeof dataKeysInMemory>['create']>[0],
);
const keys = new Map([[key.name, key]]);

const encode = (stream: StreamName, given: NewEvent): Buffer => {
  const clear = personalBytes(given.event);
  return encodeEvent(stream, given, clear && { key, clear }, nonces);
};

const anyStored = fc.tuple(anyNewEvent, anyId()).map(([given, id]) => {
  const stream: StreamName = `${eventTypes[given.event.type].stream}-${id}`;
  return { given, stream };
});

const withoutPersonal = (event: ParleyEvent): Record<string, unknown> => {
  const personal = ['content', 'name', 'issuer', 'subject', 'profile', 'alias', 'text'];
  return Object.fromEntries(
    Object.entries(event).map(([name, value]) => [name, personal.includes(name) ? null : value]),
  );
};

describe('an event as bytes', () => {
  test('comes back as it was, whatever it says', () => {
    fc.assert(
      fc.property(anyStored, ({ given, stream }) => {
        const { version, critical } = eventTypes[given.event.type];
        const { type } = given.event;
        const decoded = decodeEvent(parseEnvelope(encode(stream, given)), keys);
        expect(decoded).toStrictEqual({ ...given, stream, type, schemaVersion: version, critical });
      }),
      { numRuns: 1_000 },
    );
  });

  test('shows nothing personal in clear, and only that is gone without the key', () => {
    fc.assert(
      fc.property(anyStored, ({ given, stream }) => {
        const decoded = decodeEvent(parseEnvelope(encode(stream, given)), new Map());
        expect(decoded.event).toStrictEqual(withoutPersonal(given.event));
      }),
      { numRuns: 1_000 },
    );
  });

  test('names a key exactly where something is encrypted, and has a subject for it', () => {
    fc.assert(
      fc.property(anyStored, ({ given, stream }) => {
        const envelope = parseEnvelope(encode(stream, given));
        const hidden = personalBytes(given.event) !== undefined;
        expect(keyNamesIn(envelope)).toEqual(hidden ? [key.name] : []);
        expect(envelope.ciphertext.length > 0).toBe(hidden);
        if (hidden) expect(keySubjectOf(stream, given.event)).toBeDefined();
      }),
    );
  });

  test('has an envelope that says exactly what it was made of', () => {
    fc.assert(
      fc.property(anyStored, ({ given, stream }) => {
        const bytes = encode(stream, given);
        expect(encodeEnvelope(parseEnvelope(bytes))).toEqual(bytes);
      }),
    );
  });
});

const sent = (text: string): { readonly given: NewEvent; readonly stream: StreamName } => {
  const id = Buffer.from(randomBytes(16)).toString('base64url');
  const commandId = '0192f0c1-2345-7abc-8def-0123456789ab';
  const event = { type: 'message-sent', commandId, idTimeMax: 1, mac: id, by: id, seq: 1, replyTo: null };
  return {
    stream: `conversation-${id}`,
    given: {
      eventId: commandId,
      time: 1,
      causationId: commandId,
      correlationId: commandId,
      event: { ...event, content: { type: 'text', text } },
    } as NewEvent,
  };
};

describe('a ciphertext', () => {
  test('opens neither in another stream nor under another event id', () => {
    const { stream, given } = sent('secret');
    const envelope = parseEnvelope(encode(stream, given));
    const moved = { ...envelope, stream: sent('').stream };
    const renamed = { ...envelope, eventId: Buffer.from(randomBytes(16)) };
    expect(() => decodeEvent(moved, keys)).toThrow(LogDamaged);
    expect(() => decodeEvent(renamed, keys)).toThrow(LogDamaged);
  });

  test('never has the same nonce twice', () => {
    const { stream, given } = sent('secret');
    const seen = Array.from({ length: 2_000 }, () =>
      parseEnvelope(encode(stream, given)).ciphertext.toString('hex', 0, 12),
    );
    expect(new Set(seen).size).toBe(2_000);
  });
});

describe('an event of a later process', () => {
  test.each([
    ['an unknown type', { type: 'message-pinned' }],
    ['a newer version', { version: 2 }],
  ])('of %s keeps its frame and has no event', (_, changes) => {
    const { stream, given } = sent('hello');
    const envelope = parseEnvelope(encode(stream, given));
    const decoded = decodeEvent({ ...envelope, ...changes }, keys);
    expect(decoded).toMatchObject({ stream, eventId: given.eventId, causationId: given.causationId, critical: true });
    expect(decoded.type).toBe('type' in changes ? changes.type : 'message-sent');
    expect(decoded.schemaVersion).toBe('version' in changes ? changes.version : 1);
    expect(decoded.event).toBeUndefined();
  });

  test('may have further fields at the end, which are skipped', () => {
    const { stream, given } = sent('hello');
    const envelope = parseEnvelope(encode(stream, given));
    // A CBOR array of eight items with one more: 0x88 becomes 0x89, and `true` follows.
    expect(envelope.plain[0]).toBe(0x88);
    const plain = Buffer.concat([Buffer.from([0x89]), envelope.plain.subarray(1), Buffer.from([0xf5])]);
    expect(decodeEvent({ ...envelope, plain }, keys).event).toStrictEqual(given.event);
  });

  test('with a field missing is damaged', () => {
    const { stream, given } = sent('hello');
    const envelope = parseEnvelope(encode(stream, given));
    const plain = Buffer.concat([Buffer.from([0x87]), envelope.plain.subarray(1, -1)]);
    expect(() => decodeEvent({ ...envelope, plain }, keys)).toThrow(LogDamaged);
  });
});

test.each([0, 1, 16, 100])('an envelope cut to %d bytes is damaged', (length) => {
  const { stream, given } = sent('hello');
  expect(() => parseEnvelope(encode(stream, given).subarray(0, length))).toThrow(LogDamaged);
});
