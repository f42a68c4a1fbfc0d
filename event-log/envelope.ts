import type { StreamName } from '../schemas/streams.ts';
import { ByteReader } from './bytes.ts';

/**
 * An event as every adapter stores it and as links and checksums see it. Numbers are big-endian:
 *
 *   stream (2 bytes of length, UTF-8) ‖ event id (16) ‖ type (1 byte of length, UTF-8) ‖ version (2) ‖ critical (1) ‖
 *   time (6) ‖ key names (1 byte of count, 16 each) ‖ plain fields (4 bytes of length) ‖ ciphertext (4 bytes of length)
 *
 * It never holds revision, position, log or epoch, so it survives a copy to another log.
 */
export interface Envelope {
  readonly stream: StreamName;
  readonly eventId: Uint8Array;
  readonly type: string;
  readonly version: number;
  readonly critical: boolean;
  readonly time: number;
  /** The names of the data keys of the ciphertext, one after the other. */
  readonly keys: Uint8Array;
  readonly plain: Uint8Array;
  readonly ciphertext: Uint8Array;
}

const fixedLength = 2 + 16 + 1 + 2 + 1 + 6 + 1 + 4 + 4;
const keyNameLength = 16;

export const envelopeLength = ({ stream, type, keys, plain, ciphertext }: Envelope): number =>
  fixedLength + Buffer.byteLength(stream) + Buffer.byteLength(type) + keys.length + plain.length + ciphertext.length;

/** Writes an envelope into `target` and says where it ends. */
export const writeEnvelope = (target: Buffer, offset: number, envelope: Envelope): number => {
  const streamLength = target.write(envelope.stream, offset + 2);
  let at = target.writeUInt16BE(streamLength, offset) + streamLength;
  target.set(envelope.eventId, at);
  const typeLength = target.write(envelope.type, at + 17);
  at = target.writeUInt8(typeLength, at + 16) + typeLength;
  at = target.writeUInt16BE(envelope.version, at);
  at = target.writeUInt8(envelope.critical ? 1 : 0, at);
  at = target.writeUIntBE(envelope.time, at, 6);
  at = target.writeUInt8(envelope.keys.length / keyNameLength, at);
  target.set(envelope.keys, at);
  at = target.writeUInt32BE(envelope.plain.length, at + envelope.keys.length);
  target.set(envelope.plain, at);
  at = target.writeUInt32BE(envelope.ciphertext.length, at + envelope.plain.length);
  target.set(envelope.ciphertext, at);
  return at + envelope.ciphertext.length;
};

export const encodeEnvelope = (envelope: Envelope): Buffer => {
  const bytes = Buffer.allocUnsafe(envelopeLength(envelope));
  writeEnvelope(bytes, 0, envelope);
  return bytes;
};

export type ParsedEnvelope = Envelope & Readonly<Record<'eventId' | 'keys' | 'plain' | 'ciphertext', Buffer>>;

/** The parts are views into `bytes`. */
export const parseEnvelope = (bytes: Uint8Array): ParsedEnvelope => {
  const reader = new ByteReader(bytes);
  const stream = reader.text(reader.uint16()) as StreamName;
  const eventId = reader.bytes(16);
  const type = reader.text(reader.uint8());
  const version = reader.uint16();
  const critical = reader.uint8() === 1;
  const time = reader.uint48();
  const keys = reader.bytes(reader.uint8() * keyNameLength);
  const plain = reader.bytes(reader.uint32());
  const ciphertext = reader.bytes(reader.uint32());
  return { stream, eventId, type, version, critical, time, keys, plain, ciphertext };
};

/** The names of the keys that the ciphertext needs, as base64url. */
export const keyNamesIn = ({ keys }: ParsedEnvelope): readonly string[] => {
  const names: string[] = [];
  for (let at = 0; at < keys.length; at += keyNameLength)
    names.push(keys.toString('base64url', at, at + keyNameLength));
  return names;
};

export const streamOfEnvelope = (bytes: Uint8Array): StreamName => {
  const reader = new ByteReader(bytes);
  return reader.text(reader.uint16()) as StreamName;
};
