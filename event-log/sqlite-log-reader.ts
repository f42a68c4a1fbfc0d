import type { LogId } from '../schemas/position.ts';
import type { StreamName } from '../schemas/streams.ts';
import { BoundedMap } from './bounded-map.ts';
import { encodeEnvelope } from './envelope.ts';
import { LogDamaged } from './event-log.ts';
import type { StoredEvent } from './log-store.ts';
import { asError, readFault, unusable } from './sqlite-errors.ts';
import {
  bytesIn,
  integerIn,
  lastPosition,
  openForReading,
  streamNumber,
  textIn,
  type OpenedForReading,
  type Row,
} from './sqlite-schema.ts';
import { checkLogPage, checkStreamPage } from './stored-events.ts';

const mostBytes = 4 * 1_048_576;
const rememberedNames = 65_536;

const columns =
  'event.position, stream, revision, event.id, type, version, time, keys, data, ciphertext, link, checksum';
const ofLogFile = `SELECT ${columns} FROM event`;
const ofCopyFile = `SELECT ${columns}, copied_log.id AS copied_log, copied.n AS copied_n FROM event
  LEFT JOIN copied ON copied.position = event.position LEFT JOIN copied_log ON copied_log.no = copied.log`;

export interface LogReader {
  /** n of the last event committed. */
  last(): number;
  log(after: number, limit: number): StoredEvent[];
  stream(stream: StreamName, from: number | 'end', direction: 'forwards' | 'backwards', limit: number): StoredEvent[];
  close(): void;
}

const logIn = (row: Row): LogId => Buffer.from(bytesIn(row, 'copied_log')).toString('base64url') as LogId;

const reading = ({ database, holdsCopy }: OpenedForReading): LogReader => {
  const select = holdsCopy ? ofCopyFile : ofLogFile;
  const ofLog = database.prepare(`${select} WHERE event.position > ? ORDER BY event.position LIMIT ?`);
  const forwards = database.prepare(`${select} WHERE stream = ? AND revision >= ? ORDER BY revision LIMIT ?`);
  const backwards = database.prepare(`${select} WHERE stream = ? AND revision <= ? ORDER BY revision DESC LIMIT ?`);
  const lastRevision = database.prepare('SELECT max(revision) AS revision FROM event WHERE stream = ?');
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
      ...(typeof row['copied_n'] === 'number' && { copiedFrom: { log: logIn(row), n: row['copied_n'] } }),
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

  const pageOf = (rows: Iterable<Row>): { readonly events: StoredEvent[]; readonly isCut: boolean } => {
    const events: StoredEvent[] = [];
    let bytes = 0;
    for (const row of rows) {
      const event = inPlace(row);
      events.push(event);
      bytes += event.envelope.length;
      if (bytes > mostBytes) return { events, isCut: true };
    }
    return { events, isCut: false };
  };

  const logPage = (after: number, limit: number): StoredEvent[] => {
    const { events } = pageOf(ofLog.iterate(after, limit));
    checkLogPage(after, events);
    return events;
  };

  const streamPage = (
    stream: StreamName,
    from: number | 'end',
    direction: 'forwards' | 'backwards',
    limit: number,
  ): StoredEvent[] => {
    const found: Row | undefined = numberOf.get(stream);
    if (found === undefined) return [];
    const no = integerIn(found, 'no');
    // Before the page, so that the page reaches at least as far: what is appended between the two does no harm.
    const last = integerIn(lastRevision.get(no), 'revision');
    const first = from === 'end' || (direction === 'backwards' && from > last) ? last : from;
    const statement = direction === 'forwards' ? forwards : backwards;
    const { events, isCut } = pageOf(statement.iterate(no, first, limit));
    checkStreamPage({ stream, first, direction, isFull: isCut || events.length === limit, last }, events);
    return events;
  };

  return {
    last: () => orFault(undefined, () => lastPosition(database)),
    log: (after, limit) => orFault(after + 1, () => logPage(after, limit)),
    stream: (...page) => orFault(undefined, () => streamPage(...page)),
    close: () => database.close(),
  };
};

const orFault = <T>(n: number | undefined, read: () => T): T => {
  try {
    return read();
  } catch (thrown) {
    throw readFault(thrown, n);
  }
};

/** Reads the log in the thread that calls. Throws `LogUnusable` for a file that is none of ours. */
export const openLogReader = (file: string): LogReader => {
  const opened = openForReading(file);
  try {
    return reading(opened);
  } catch (cause) {
    opened.database.close();
    throw unusable(file, cause);
  }
};
