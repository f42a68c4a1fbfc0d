import { createHash } from 'node:crypto';
import { binaryEvent, type EventData, type Position } from '@eventstore/db-client';
import { logId, type LogPosition } from '../schemas/position.ts';
import { isStreamKind, kindOf, type StreamName } from '../schemas/streams.ts';
import { noLink } from './chain.ts';
import { parseEnvelope, streamOfEnvelope } from './envelope.ts';
import { LogDamaged, LogUnusable } from './event-log.ts';
import type { AppendRequest, EncodedEvent, StoredEvent } from './log-store.ts';
import { checkEvent } from './stored-events.ts';

/**
 * How an event lies in EventStoreDB. Its stream is ours by name, behind the prefix of its log where a server holds several;
 * its type the envelope's, its data the envelope (bytes,
 * envelope.ts), its metadata flat JSON: `parley` (1, this layout), `link` (base64url, absent where the stream has no
 * chain), `checksum` (hex) and, of a copied event alone, `copiedFrom` (log:n). Its id is made of the envelope's bytes: the server answers a repeat by ids alone, also when
 * the body is another one, and then the link that we remember would be none that is stored. The event's own id is in the
 * envelope.
 */
const layout = '1';

/** An event as the client gives it. */
export interface ReadEvent {
  readonly streamId: string;
  readonly id: string;
  readonly revision: bigint;
  readonly type: string;
  readonly data: unknown;
  readonly metadata?: unknown;
  readonly position?: Position;
}

/** Of version 8, whose bits are free. */
export const idOf = (envelope: Uint8Array): string => {
  const hash = createHash('sha256').update(envelope).digest();
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x80, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = hash.toString('hex', 0, 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
};

const metadataOf = ({ link, checksum, copiedFrom }: EncodedEvent): Record<string, string> => ({
  parley: layout,
  ...(link.length > 0 && { link: Buffer.from(link).toString('base64url') }),
  checksum: checksum.toString(16),
  ...(copiedFrom !== undefined && { copiedFrom: `${copiedFrom.log}:${copiedFrom.n}` }),
});

export const proposed = (event: EncodedEvent): EventData =>
  binaryEvent({
    id: idOf(event.envelope),
    type: parseEnvelope(event.envelope).type,
    data: event.envelope,
    metadata: metadataOf(event),
  });

/** Servers before 25.1 take 1 MiB an append, and count what they add to it. */
const mostBytes = 900_000;
/** Id, metadata and what the server writes around each event. */
const bytesAround = 256;
const longestName = 1_000;

/** Why the server would refuse it, so that it is not asked: a refusal that it says twice ends a process that waits for one. */
export const refusalOf = ({ stream, events }: AppendRequest): 'too_large' | Error | undefined => {
  if (events.length === 0) return new RangeError('an append holds at least one event');
  if (!isStreamKind(kindOf(stream)) || stream.length > longestName || !stream.isWellFormed()) {
    return new RangeError(`${stream} is no stream of this log`);
  }
  let bytes = 0;
  for (const { envelope } of events) {
    if (parseEnvelope(envelope).type === '') return new RangeError('an event has a type');
    bytes += envelope.length + stream.length + bytesAround;
  }
  return bytes > mostBytes ? 'too_large' : undefined;
};

/** The number of an event in the log: where it is committed in the server's files, whose 2^53 bytes nobody fills. */
export const nOf = ({ position }: ReadEvent): number => {
  const n = Number(position?.commit ?? -1n);
  if (n < 0 || !Number.isSafeInteger(n)) throw new LogUnusable('the server does not say where its events lie');
  return n;
};

interface Metadata {
  readonly parley?: unknown;
  readonly link?: unknown;
  readonly checksum?: unknown;
  readonly copiedFrom?: unknown;
}

const metadataIn = ({ metadata }: ReadEvent): Metadata =>
  typeof metadata === 'object' && metadata !== null && !(metadata instanceof Uint8Array) ? metadata : {};

/** What the server keeps for itself, statistics and stream metadata, is none of the log. */
const isSystem = ({ streamId }: ReadEvent): boolean => streamId.startsWith('$');

/** Of another log or program: nothing that this one has written, in a stream that it would not write. */
export const isForeign = (event: ReadEvent, prefix: string): boolean => {
  if (isSystem(event)) return false;
  if (!event.streamId.startsWith(prefix)) return true;
  const stream = event.streamId.slice(prefix.length) as StreamName;
  return metadataIn(event).parley === undefined && !isStreamKind(kindOf(stream));
};

const positionIn = (copiedFrom: string, n: number): LogPosition => {
  const [log = '', place = ''] = copiedFrom.split(':');
  const known = logId.safeParse(log);
  const copiedN = Number(place);
  if (!known.success || !Number.isSafeInteger(copiedN))
    throw new LogDamaged('it does not say what it was copied from', { n });
  return { log: known.data, n: copiedN };
};

/** The event as the log has it; undefined for what is not the log's. Throws `LogDamaged`. */
export const stored = (event: ReadEvent, prefix: string): StoredEvent | undefined => {
  if (isSystem(event) || isForeign(event, prefix)) return undefined;
  const n = nOf(event);
  const stream = event.streamId.slice(prefix.length) as StreamName;
  if (event.type === '$streamDeleted') throw new LogDamaged(`${stream} was deleted`, { n });
  const { parley, link, checksum, copiedFrom } = metadataIn(event);
  if (parley !== layout || typeof checksum !== 'string' || !(event.data instanceof Uint8Array)) {
    throw new LogDamaged(`an event of ${stream} that this program did not write`, { n });
  }
  const found: StoredEvent = {
    stream,
    revision: Number(event.revision),
    n,
    envelope: event.data,
    link: typeof link === 'string' ? Buffer.from(link, 'base64url') : noLink,
    checksum: Number.parseInt(checksum, 16),
    ...(typeof copiedFrom === 'string' && { copiedFrom: positionIn(copiedFrom, n) }),
  };
  checkEvent(found);
  if (streamOfEnvelope(found.envelope) !== stream) throw new LogDamaged(`it does not belong to ${stream}`, { n });
  return found;
};
