import type { CommandId, ConversationId, DeviceId, UserId } from '../schemas/ids.ts';
import type { LogId } from '../schemas/position.ts';
import { isUuid, readUuid, uuidBytes } from './bytes.ts';
import { LogDamaged } from './event-log.ts';

/** How one value stands in a CBOR array. What is written stays readable for ever: a form here never changes. */
export interface Wire<T> {
  encode(value: T): unknown;
  decode(raw: unknown): T;
}

const unexpected = (wanted: string, raw: unknown): LogDamaged =>
  new LogDamaged(`a field holds ${raw === undefined ? 'nothing' : typeof raw} instead of ${wanted}`);

const itself = <T>(wanted: string, is: (raw: unknown) => raw is T): Wire<T> => ({
  encode: (value) => value,
  decode: (raw) => {
    if (!is(raw)) throw unexpected(wanted, raw);
    return raw;
  },
});

export const integer = itself('an integer', (raw): raw is number => Number.isSafeInteger(raw));
export const decimal = itself('a number', (raw): raw is number => typeof raw === 'number');
export const text = itself('a text', (raw): raw is string => typeof raw === 'string');
export const flag = itself('true or false', (raw): raw is boolean => typeof raw === 'boolean');

const array = (raw: unknown): readonly unknown[] => {
  if (!Array.isArray(raw)) throw unexpected('an array', raw);
  return raw;
};

const sixteenBytes = (raw: unknown): Buffer => {
  if (!Buffer.isBuffer(raw) || raw.length !== 16) throw unexpected('16 bytes', raw);
  return raw;
};

/** 22 characters of base64url as the 16 bytes they stand for. */
const shortId = <T extends string>(): Wire<T> => ({
  encode: (id) => Buffer.from(id, 'base64url'),
  decode: (raw) => sixteenBytes(raw).toString('base64url') as T,
});
export const userIdWire = shortId<UserId>();
export const conversationIdWire = shortId<ConversationId>();
export const logIdWire = shortId<LogId>();
export const macWire = shortId<string>();

export const commandIdWire: Wire<CommandId> = {
  encode: uuidBytes,
  decode: (raw) => readUuid(sixteenBytes(raw)) as CommandId,
};

export const deviceIdWire: Wire<DeviceId> = {
  encode: (id) => id,
  decode: (raw) => text.decode(raw) as DeviceId,
};

/** A UUID as 16 bytes, any other text as text. */
export const uuidOrText: Wire<string> = {
  encode: (value) => (isUuid(value) ? uuidBytes(value) : value),
  decode: (raw) => (typeof raw === 'string' ? raw : readUuid(sixteenBytes(raw))),
};

export const nullable = <T>(wire: Wire<T>): Wire<T | null> => ({
  encode: (value) => (value === null ? null : wire.encode(value)),
  decode: (raw) => (raw === null ? null : wire.decode(raw)),
});

/** One of a list of words, as its place in the list; the list only ever grows at its end. */
export const oneOf = <T extends string>(...words: readonly T[]): Wire<T> => ({
  encode: (word) => words.indexOf(word),
  decode: (raw) => {
    const word = words[integer.decode(raw)];
    if (word === undefined) throw unexpected(words.join(' or '), raw);
    return word;
  },
});

export const listOf = <T>(wire: Wire<T>): Wire<T[]> => ({
  encode: (values) => values.map((value) => wire.encode(value)),
  decode: (raw) => array(raw).map((item) => wire.decode(item)),
});

/** Several values, by place; further ones are ignored. */
export const record = <T>(
  encode: (value: T) => readonly unknown[],
  decode: (raw: readonly unknown[]) => T,
): Wire<T> => ({
  encode,
  decode: (raw) => decode(array(raw)),
});
