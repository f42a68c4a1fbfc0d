import { Encoder } from 'cbor-x';
import { eventTypes, type EventType, type NewEvent, type ParleyEvent, type RecordedEvent } from '../schemas/events.ts';
import type { EventId } from '../schemas/ids.ts';
import type { StreamName } from '../schemas/streams.ts';
import { upcast, upcasts } from '../schemas/upcast.ts';
import { readUuid, uuidBytes } from './bytes.ts';
import type { DataKey } from './data-keys.ts';
import { decrypt, encrypt, type Nonces } from './encryption.ts';
import { encodeEnvelope, keyNamesIn, type ParsedEnvelope } from './envelope.ts';
import { eventFields, pastFields, type Field } from './event-fields.ts';
import { LogDamaged } from './event-log.ts';
import { uuidOrText } from './wire.ts';

const cbor = new Encoder({ useRecords: false, tagUint8Array: false });
const nothing = new Uint8Array(0);

interface NamedField extends Field<unknown> {
  readonly name: string;
}

/** An event's stored form: two positional arrays, of which the second is encrypted. */
interface Layout {
  readonly plain: readonly NamedField[];
  readonly personal: readonly NamedField[];
}

const layoutOf = (fields: Readonly<Record<string, Field<unknown>>>): Layout => {
  const named = Object.entries(fields).map(([name, field]): NamedField => ({ ...field, name }));
  return { plain: named.filter((field) => !field.personal), personal: named.filter((field) => field.personal) };
};

const layouts: ReadonlyMap<string, Layout> = new Map(
  Object.entries(eventFields).map(([type, fields]) => [type, layoutOf(fields)]),
);
const pastLayouts: ReadonlyMap<string, Layout> = new Map(
  [...pastFields].map(([typeAndVersion, fields]) => [typeAndVersion, layoutOf(fields)]),
);

const isKnown = (type: string): type is EventType => layouts.has(type);

/**
 * The first two places of every plain array are causation and correlation, so that they can be read of an event of
 * any type. What equals them is left out: the correlation id that is the causation id, the command id that is it too.
 */
const causes = 2;
const leftOut = (name: string, value: unknown, causationId: string): boolean =>
  name === 'commandId' && value === causationId;

const plainBytes = ({ causationId, correlationId, event }: NewEvent, { plain }: Layout): Buffer => {
  const values: Readonly<Record<string, unknown>> = event;
  const places: unknown[] = [
    uuidOrText.encode(causationId),
    correlationId === causationId ? null : uuidOrText.encode(correlationId),
  ];
  for (const field of plain) {
    const value = values[field.name];
    places.push(leftOut(field.name, value, causationId) ? null : field.encode(value));
  }
  return cbor.encode(places);
};

/** The personal fields in clear; undefined where the event has none to hide. */
export const personalBytes = (event: ParleyEvent): Buffer | undefined => {
  const personal = layouts.get(event.type)?.personal ?? [];
  const values: Readonly<Record<string, unknown>> = event;
  if (personal.every(({ name }) => values[name] === null)) return undefined;
  return cbor.encode(personal.map((field) => field.encode(values[field.name])));
};

/** What the ciphertext is bound to: moved to another stream or event it does not open. */
const associatedData = (stream: StreamName, eventId: Uint8Array): Buffer => {
  const bytes = Buffer.allocUnsafe(Buffer.byteLength(stream) + eventId.length);
  bytes.set(eventId, bytes.write(stream));
  return bytes;
};

export interface Personal {
  readonly key: DataKey;
  readonly clear: Uint8Array;
}

export const encodeEvent = (
  stream: StreamName,
  given: NewEvent,
  personal: Personal | undefined,
  nonces: Nonces,
): Buffer => {
  const { type } = given.event;
  const layout = layouts.get(type);
  if (layout === undefined) throw new TypeError(`no fields are known of ${type}`);
  const { version, critical } = eventTypes[type];
  const eventId = uuidBytes(given.eventId);
  return encodeEnvelope({
    stream,
    eventId,
    type,
    version,
    critical,
    time: given.time,
    keys: personal === undefined ? nothing : Buffer.from(personal.key.name, 'base64url'),
    plain: plainBytes(given, layout),
    ciphertext:
      personal === undefined
        ? nothing
        : encrypt(personal.key, nonces(), associatedData(stream, eventId), personal.clear),
  });
};

const arrayIn = (bytes: Uint8Array): readonly unknown[] => {
  const value: unknown = cbor.decode(bytes);
  if (!Array.isArray(value)) throw new LogDamaged('the fields of an event are not an array');
  return value;
};

/** What an envelope says: a recorded event without its place in the log. */
export type DecodedEvent = Omit<RecordedEvent, 'position' | 'revision' | 'link'>;

/** Personal fields whose key is not among `keys` are null. */
export const decodeEvent = (envelope: ParsedEnvelope, keys: ReadonlyMap<string, DataKey>): DecodedEvent => {
  const { stream, type, version, critical, time } = envelope;
  const places = arrayIn(envelope.plain);
  const causationId = uuidOrText.decode(places[0]);
  const correlationId = places[1] === null ? causationId : uuidOrText.decode(places[1]);
  const eventId = readUuid(envelope.eventId) as EventId;
  const newest = isKnown(type) ? eventTypes[type].version : undefined;
  const layout = version === newest ? layouts.get(type) : pastLayouts.get(`${type}@${version}`);

  let event: ParleyEvent | undefined;
  if (layout !== undefined && newest !== undefined) {
    const fields: Record<string, unknown> = { type };
    for (const [index, field] of layout.plain.entries()) {
      const place = places[causes + index];
      fields[field.name] = place === null && field.name === 'commandId' ? causationId : field.decode(place);
    }
    const [keyName] = keyNamesIn(envelope);
    const key = keyName === undefined ? undefined : keys.get(keyName);
    const hidden =
      key === undefined
        ? undefined
        : arrayIn(decrypt(key, associatedData(stream, envelope.eventId), envelope.ciphertext));
    for (const [index, field] of layout.personal.entries()) {
      fields[field.name] = hidden === undefined ? null : field.decode(hidden[index]);
    }
    event = upcast(upcasts, type, { from: version, to: newest }, fields) as ParleyEvent | undefined;
  }
  return { stream, eventId, time, causationId, correlationId, type, schemaVersion: version, critical, event };
};
