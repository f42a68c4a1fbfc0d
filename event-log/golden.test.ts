import { createSecretKey } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { eventTypes, parleyEvent } from '../schemas/events.ts';
import { eventId } from '../schemas/ids.ts';
import type { StreamName } from '../schemas/streams.ts';
import { decodeEvent, encodeEvent, personalBytes } from './codec.ts';
import { parseEnvelope } from './envelope.ts';

/**
 * One event of every type and version that was ever written, with its bytes, which are never changed: they show that what
 * lies in somebody's log is still read. `event` is what they are read as today, past every upcast. A new type or version gets a new file; the bytes to put into it are
 * those that the failing test prints.
 */
const folder = join(import.meta.dirname, '../schemas/golden');

const hex = z.string().regex(/^([0-9a-f]{2})*$/);
const golden = z.strictObject({
  stream: z.string(),
  version: z.int(),
  eventId,
  time: z.int(),
  causationId: z.string(),
  correlationId: z.string(),
  event: parleyEvent,
  keyName: z.string(),
  key: hex,
  nonce: hex,
  envelope: hex,
});

const files = readdirSync(folder).map((file) => ({
  file,
  ...golden.parse(JSON.parse(readFileSync(join(folder, file), 'utf8'))),
}));
const newest = files.filter(({ event, version }) => version === eventTypes[event.type].version);

describe('stored events', () => {
  test.each(files)('$file is read', ({ keyName, key, envelope, event, stream, version, ...frame }) => {
    const dataKey = { name: keyName, key: createSecretKey(Buffer.from(key, 'hex')) };
    const decoded = decodeEvent(parseEnvelope(Buffer.from(envelope, 'hex')), new Map([[keyName, dataKey]]));
    const { eventId: id, time, causationId, correlationId } = frame;
    expect(decoded).toStrictEqual({
      stream,
      eventId: id,
      time,
      causationId,
      correlationId,
      type: event.type,
      schemaVersion: version,
      critical: eventTypes[event.type].critical,
      event,
    });
  });

  test.each(newest)('$file is written as it always was', ({ stream, keyName, key, nonce, envelope, ...given }) => {
    const clear = personalBytes(given.event);
    const dataKey = { name: keyName, key: createSecretKey(Buffer.from(key, 'hex')) };
    const bytes = encodeEvent(stream as StreamName, given, clear && { key: dataKey, clear }, () =>
      Buffer.from(nonce, 'hex'),
    );
    expect(bytes.toString('hex')).toBe(envelope);
  });

  test('are there of every type in its newest version', () => {
    expect(newest.map(({ event }) => event.type).sort()).toEqual(Object.keys(eventTypes).sort());
  });
});
