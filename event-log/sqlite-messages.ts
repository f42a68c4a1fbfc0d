import type { LogId } from '../schemas/position.ts';
import type { StreamName } from '../schemas/streams.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import type { AppendPriority, AppendRequest, EncodedEvent, StoredEvent } from './log-store.ts';
import { streamOfEnvelope } from './envelope.ts';

/**
 * What crosses between the main thread and the two workers: one packed piece of memory a message, handed over and not
 * copied. (A structured clone of small buffers would copy the whole pool behind each.)
 */
export type Packed = Uint8Array<ArrayBuffer>;

const writeEvent = (writer: ByteWriter, { envelope, link, checksum, copiedFrom }: EncodedEvent): void => {
  writer.uint32(checksum);
  writer.uint8(link.length);
  writer.bytes(link);
  writer.uint32(envelope.length);
  writer.bytes(envelope);
  writer.uint8(copiedFrom === undefined ? 0 : 1);
  if (copiedFrom === undefined) return;
  writer.bytes(Buffer.from(copiedFrom.log, 'base64url'));
  writer.uint48(copiedFrom.n);
};

const readEvent = (reader: ByteReader): EncodedEvent => {
  const checksum = reader.uint32();
  const link = reader.bytes(reader.uint8());
  const envelope = reader.bytes(reader.uint32());
  if (reader.uint8() === 0) return { checksum, link, envelope };
  const log = reader.bytes(16).toString('base64url') as LogId;
  return { checksum, link, envelope, copiedFrom: { log, n: reader.uint48() } };
};

export interface NumberedRequest {
  readonly id: number;
  readonly request: AppendRequest;
}

export const packRequests = (requests: readonly NumberedRequest[]): Packed => {
  let capacity = 0;
  for (const { request } of requests) {
    for (const event of request.events) capacity += event.envelope.length + 42;
  }
  const writer = new ByteWriter(capacity + requests.length * 15);
  for (const { id, request } of requests) {
    writer.uint48(id);
    writer.int48(request.expectedRevision);
    writer.uint8(request.priority);
    writer.uint16(request.events.length);
    for (const event of request.events) writeEvent(writer, event);
  }
  return writer.packed();
};

const priorities: readonly AppendPriority[] = [0, 1, 2];

export const unpackRequests = (packed: Packed): NumberedRequest[] => {
  const reader = new ByteReader(packed);
  const requests: NumberedRequest[] = [];
  while (!reader.done) {
    const id = reader.uint48();
    const expectedRevision = reader.int48();
    const priority = priorities[reader.uint8()] ?? 2;
    const events = Array.from({ length: reader.uint16() }, () => readEvent(reader));
    const stream = streamOfEnvelope(events[0]?.envelope ?? new Uint8Array(0));
    requests.push({ id, request: { stream, expectedRevision, priority, events } });
  }
  return requests;
};

/** The writer's answer to one append; `repeated` carries the links that stand there already. */
export type WriterAnswer = { readonly id: number } & (
  | { readonly outcome: 'appended'; readonly revision: number; readonly n: number }
  | {
      readonly outcome: 'repeated';
      readonly revision: number;
      readonly n: number;
      readonly links: readonly Uint8Array[];
    }
  | { readonly outcome: 'conflict'; readonly revision: number }
  | { readonly outcome: 'storage_full' }
);
const outcomes = ['appended', 'repeated', 'conflict', 'storage_full'] as const;

export const packAnswers = (answers: readonly WriterAnswer[]): Packed => {
  const writer = new ByteWriter(answers.length * 19);
  for (const answer of answers) {
    writer.uint48(answer.id);
    writer.uint8(outcomes.indexOf(answer.outcome));
    if (answer.outcome === 'storage_full') continue;
    writer.int48(answer.revision);
    if (answer.outcome === 'conflict') continue;
    writer.uint48(answer.n);
    if (answer.outcome === 'appended') continue;
    writer.uint16(answer.links.length);
    for (const link of answer.links) {
      writer.uint8(link.length);
      writer.bytes(link);
    }
  }
  return writer.packed();
};

const unpackAnswer = (reader: ByteReader): WriterAnswer => {
  const id = reader.uint48();
  const outcome = outcomes[reader.uint8()] ?? 'storage_full';
  switch (outcome) {
    case 'storage_full':
      return { id, outcome };
    case 'conflict':
      return { id, outcome, revision: reader.int48() };
    case 'appended':
      return { id, outcome, revision: reader.int48(), n: reader.uint48() };
    case 'repeated': {
      const [revision, n] = [reader.int48(), reader.uint48()];
      const links = Array.from({ length: reader.uint16() }, () => reader.bytes(reader.uint8()));
      return { id, outcome, revision, n, links };
    }
  }
};

export const unpackAnswers = (packed: Packed): WriterAnswer[] => {
  const reader = new ByteReader(packed);
  const answers: WriterAnswer[] = [];
  while (!reader.done) answers.push(unpackAnswer(reader));
  return answers;
};

export const packPage = (events: readonly StoredEvent[]): Packed => {
  let capacity = 0;
  for (const { envelope } of events) capacity += envelope.length + 54;
  const writer = new ByteWriter(capacity);
  for (const event of events) {
    writer.uint48(event.n);
    writer.uint48(event.revision);
    writeEvent(writer, event);
  }
  return writer.packed();
};

export const unpackPage = (packed: Packed): StoredEvent[] => {
  const reader = new ByteReader(packed);
  const events: StoredEvent[] = [];
  while (!reader.done) {
    const n = reader.uint48();
    const revision = reader.uint48();
    const event = readEvent(reader);
    events.push({ n, revision, stream: streamOfEnvelope(event.envelope), ...event });
  }
  return events;
};

/** What the writer says beside its packed answers. */
export type WriterMessage =
  | { readonly type: 'ready'; readonly last: number }
  | { readonly type: 'unusable'; readonly message: string }
  /** The fate of what is under way is unknown, and nothing more will be written. */
  | { readonly type: 'failed'; readonly message: string }
  | { readonly type: 'closed' };

export type ReadQuestion =
  | { readonly what: 'last' }
  | { readonly what: 'log'; readonly after: number; readonly limit: number }
  | {
      readonly what: 'stream';
      readonly stream: StreamName;
      readonly from: number | 'end';
      readonly direction: 'forwards' | 'backwards';
      readonly limit: number;
    };

export type ReaderMessage = { readonly id: number } & (
  | { readonly page: Packed }
  | { readonly last: number }
  | { readonly damaged: string; readonly n: number | undefined }
  | { readonly unusable: string }
  | { readonly failed: string }
);
