import type { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { StreamName } from '../schemas/streams.ts';
import { BoundedMap } from './bounded-map.ts';
import { encodeEnvelope } from './envelope.ts';
import { LogDamaged, LogUnusable } from './event-log.ts';
import type { StoredEvent } from './log-store.ts';
import { asError, readFault } from './sqlite-errors.ts';
import { packPage, type ReaderMessage, type ReadQuestion } from './sqlite-messages.ts';
import { bytesIn, integerIn, lastPosition, openForReading, streamNumber, textIn, type Row } from './sqlite-schema.ts';
import { checkLogPage, checkStreamPage } from './stored-events.ts';

/** The thread that reads. It opens the file at its first question: by then the writer has made it. */
const mostBytes = 4 * 1_048_576;
const rememberedNames = 65_536;

if (parentPort === null) throw new Error('sqlite-reader.ts runs as a worker thread');
const main = parentPort;
const { file } = workerData as { readonly file: string };

const columns = 'position, stream, revision, id, type, version, time, keys, data, ciphertext, link, checksum';

const openReader = (database: DatabaseSync) => {
  const ofLog = database.prepare(`SELECT ${columns} FROM event WHERE position > ? ORDER BY position LIMIT ?`);
  const forwards = database.prepare(
    `SELECT ${columns} FROM event WHERE stream = ? AND revision >= ? ORDER BY revision LIMIT ?`,
  );
  const backwards = database.prepare(
    `SELECT ${columns} FROM event WHERE stream = ? AND revision <= ? ORDER BY revision DESC LIMIT ?`,
  );
  const streamName = database.prepare('SELECT name FROM stream WHERE no = ?');
  const typeName = database.prepare('SELECT name FROM event_type WHERE no = ?');
  const numberOf = streamNumber(database);
  const streams = new BoundedMap<number, StreamName>(rememberedNames);
  const types = new Map<number, string>();

  const streamOf = (no: number): StreamName => {
    const known = streams.get(no);
    if (known !== undefined) return known;
    const name = textIn(streamName.get(no), 'name') as StreamName;
    streams.set(no, name);
    return name;
  };

  const typeOf = (no: number): string => {
    const known = types.get(no);
    if (known !== undefined) return known;
    const name = textIn(typeName.get(no), 'name');
    types.set(no, name);
    return name;
  };

  const storedEvent = (row: Row): StoredEvent => {
    const stream = streamOf(integerIn(row, 'stream'));
    const version = integerIn(row, 'version');
    const envelope = encodeEnvelope({
      stream,
      eventId: bytesIn(row, 'id'),
      type: typeOf(integerIn(row, 'type')),
      version: version >>> 1,
      critical: (version & 1) === 1,
      time: integerIn(row, 'time'),
      keys: bytesIn(row, 'keys'),
      plain: bytesIn(row, 'data'),
      ciphertext: bytesIn(row, 'ciphertext'),
    });
    return {
      stream,
      revision: integerIn(row, 'revision'),
      n: integerIn(row, 'position'),
      envelope,
      link: bytesIn(row, 'link'),
      checksum: integerIn(row, 'checksum') >>> 0,
    };
  };

  const inPlace = (row: Row): StoredEvent => {
    try {
      return storedEvent(row);
    } catch (cause) {
      // A length or a number that no envelope can hold is damage like any other.
      throw new LogDamaged(asError(cause).message, { cause, n: integerIn(row, 'position') });
    }
  };

  const page = (rows: Iterable<Row>): StoredEvent[] => {
    const events: StoredEvent[] = [];
    for (const row of rows) events.push(inPlace(row));
    return events;
  };

  const logPage = (after: number, limit: number): StoredEvent[] => {
    const events: StoredEvent[] = [];
    let bytes = 0;
    for (const row of ofLog.iterate(after, limit)) {
      const event = inPlace(row);
      events.push(event);
      bytes += event.envelope.length;
      if (bytes > mostBytes) break;
    }
    checkLogPage(after, events);
    return events;
  };

  return {
    last: () => lastPosition(database),
    log: logPage,
    stream: ({ stream, from, direction, limit }: Extract<ReadQuestion, { what: 'stream' }>): StoredEvent[] => {
      const found: Row | undefined = numberOf.get(stream);
      if (found === undefined) return [];
      const no = integerIn(found, 'no');
      const statement = direction === 'forwards' ? forwards : backwards;
      const events = page(statement.all(no, from === 'end' ? Number.MAX_SAFE_INTEGER : from, limit));
      checkStreamPage(stream, from, direction, events);
      return events;
    },
  };
};

let reader: ReturnType<typeof openReader> | undefined;

const answer = (id: number, question: ReadQuestion): ReaderMessage => {
  reader ??= openReader(openForReading(file));
  if (question.what === 'last') return { id, last: reader.last() };
  const events = question.what === 'log' ? reader.log(question.after, question.limit) : reader.stream(question);
  return { id, page: packPage(events) };
};

const fault = (id: number, question: ReadQuestion, thrown: unknown): ReaderMessage => {
  if (thrown instanceof LogUnusable) return { id, unusable: thrown.message };
  const error = readFault(thrown, question.what === 'log' ? question.after + 1 : undefined);
  return error instanceof LogDamaged ? { id, damaged: error.what, n: error.n } : { id, failed: error.message };
};

main.on('message', ({ id, question }: { readonly id: number; readonly question: ReadQuestion }) => {
  let message: ReaderMessage;
  try {
    message = answer(id, question);
  } catch (thrown) {
    message = fault(id, question, thrown);
  }
  main.postMessage(message, 'page' in message ? [message.page.buffer] : []);
});
