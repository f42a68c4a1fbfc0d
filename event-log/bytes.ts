import { LogDamaged } from './event-log.ts';

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const nibbles = new Uint8Array(128);
for (let value = 0; value < 16; value++) nibbles[value.toString(16).charCodeAt(0)] = value;
const nibbleAt = (text: string, index: number): number => nibbles[text.charCodeAt(index)] ?? 0;

/** In the one spelling of which the 16 bytes give the same text back. */
export const isUuid = (text: string): boolean => uuidPattern.test(text);

export const writeUuid = (target: Uint8Array, offset: number, uuid: string): void => {
  let at = offset;
  for (let index = 0; index < 36; index += 2) {
    if (index === 8 || index === 13 || index === 18 || index === 23) index++;
    target[at++] = (nibbleAt(uuid, index) << 4) | nibbleAt(uuid, index + 1);
  }
};

export const uuidBytes = (uuid: string): Buffer => {
  const bytes = Buffer.allocUnsafe(16);
  writeUuid(bytes, 0, uuid);
  return bytes;
};

export const readUuid = (bytes: Buffer, offset = 0): string => {
  const hex = bytes.toString('hex', offset, offset + 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
};

export const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Reads what was packed one after the other; beyond the end, the bytes are not what was written. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bufferOf(bytes);
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  #take(count: number): number {
    const from = this.#at;
    this.#at = from + count;
    if (this.#at > this.#bytes.length) throw new LogDamaged('an event ends before its last field');
    return from;
  }

  uint8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  uint16(): number {
    return this.#bytes.readUInt16BE(this.#take(2));
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }

  uint48(): number {
    return this.#bytes.readUIntBE(this.#take(6), 6);
  }

  /** An integer that may be −1. */
  int48(): number {
    return this.#bytes.readIntBE(this.#take(6), 6);
  }

  uuid(): string {
    return readUuid(this.#bytes, this.#take(16));
  }

  text(length: number): string {
    const from = this.#take(length);
    return this.#bytes.toString('utf8', from, from + length);
  }

  /** A view, not a copy. */
  bytes(length: number): Buffer {
    const from = this.#take(length);
    return this.#bytes.subarray(from, from + length);
  }
}

/** Packs values one after the other, for `ByteReader`. */
export class ByteWriter {
  #bytes: Buffer<ArrayBuffer>;
  #at = 0;

  /** Outside the pool of small buffers: the memory is handed to another thread as a whole. */
  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(capacity, 64));
  }

  #room(count: number): number {
    const from = this.#at;
    this.#at = from + count;
    if (this.#at > this.#bytes.length) {
      const wider = Buffer.allocUnsafeSlow(Math.max(this.#at, this.#bytes.length * 2));
      wider.set(this.#bytes.subarray(0, from));
      this.#bytes = wider;
    }
    return from;
  }

  uint8(value: number): void {
    const at = this.#room(1);
    this.#bytes.writeUInt8(value, at);
  }

  uint16(value: number): void {
    const at = this.#room(2);
    this.#bytes.writeUInt16BE(value, at);
  }

  uint32(value: number): void {
    const at = this.#room(4);
    this.#bytes.writeUInt32BE(value, at);
  }

  uint48(value: number): void {
    const at = this.#room(6);
    this.#bytes.writeUIntBE(value, at, 6);
  }

  int48(value: number): void {
    const at = this.#room(6);
    this.#bytes.writeIntBE(value, at, 6);
  }

  bytes(value: Uint8Array): void {
    const at = this.#room(value.length);
    this.#bytes.set(value, at);
  }

  /** What was packed. The writer is not used afterwards. */
  packed(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#bytes.buffer, 0, this.#at);
  }
}
