import type { DatabaseSync } from 'node:sqlite';
import type { StreamName } from '../schemas/streams.ts';
import { BoundedMap } from './bounded-map.ts';
import { parseEnvelope, type Envelope } from './envelope.ts';
import type { EncodedEvent } from './log-store.ts';
import { copiedEvents } from './sqlite-copied-events.ts';
import { asError, sqliteFault } from './sqlite-errors.ts';
import type { NumberedRequest, WriterAnswer } from './sqlite-messages.ts';
import { bytesIn, integerIn, lastPosition, streamNumber, type Row } from './sqlite-schema.ts';

interface StreamTail {
  readonly no: number;
  readonly revision: number;
}

const rememberedTails = 65_536;

export interface GroupCommit {
  /** One transaction. Throws when the fate of what it wrote is unknown; then nothing may be written any more. */
  commit(group: readonly NumberedRequest[]): WriterAnswer[];
  /** n of the last event committed. */
  last(): number;
}

const sameBytes = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0;

export const groupCommit = (database: DatabaseSync): GroupCommit => {
  const begin = database.prepare('BEGIN IMMEDIATE');
  const commit = database.prepare('COMMIT');
  const rollback = database.prepare('ROLLBACK');
  const insertEvent = database.prepare('INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
  const insertCopied = copiedEvents(database);
  const insertStream = database.prepare('INSERT INTO stream (name) VALUES (?)');
  const insertType = database.prepare('INSERT INTO event_type (name) VALUES (?)');
  const typeNumber = database.prepare('SELECT no FROM event_type WHERE name = ?');
  const numberOf = streamNumber(database);
  const lastRevision = database.prepare('SELECT max(revision) AS revision FROM event WHERE stream = ?');
  const placed = database.prepare(
    'SELECT id, link, position FROM event WHERE stream = ? AND revision BETWEEN ? AND ? ORDER BY revision',
  );

  const tails = new BoundedMap<StreamName, StreamTail>(rememberedTails);
  const types = new Map<string, number>();
  let last = lastPosition(database);

  const tailOf = (stream: StreamName): StreamTail | undefined => {
    const remembered = tails.get(stream);
    if (remembered !== undefined) return remembered;
    const found: Row | undefined = numberOf.get(stream);
    if (found === undefined) return undefined;
    const no = integerIn(found, 'no');
    const tail = { no, revision: integerIn(lastRevision.get(no), 'revision') };
    tails.set(stream, tail);
    return tail;
  };

  const typeOf = (name: string): number => {
    let no = types.get(name);
    if (no === undefined) {
      const found: Row | undefined = typeNumber.get(name);
      no = found === undefined ? Number(insertType.run(name).lastInsertRowid) : integerIn(found, 'no');
      types.set(name, no);
    }
    return no;
  };

  const insert = (no: number, revision: number, envelope: Envelope, event: EncodedEvent): void => {
    const { link, checksum, copiedFrom } = event;
    last++;
    if (copiedFrom !== undefined) insertCopied(last, copiedFrom);
    insertEvent.run(
      last,
      no,
      revision,
      envelope.eventId,
      typeOf(envelope.type),
      envelope.version * 2 + (envelope.critical ? 1 : 0),
      envelope.time,
      envelope.keys,
      envelope.plain,
      envelope.ciphertext,
      link,
      // As a signed number it takes four bytes; more than half of the unsigned ones take six.
      checksum | 0,
    );
  };

  /** The answer of an append whose events already stand at exactly its revisions. */
  const repeated = ({ id, request }: NumberedRequest, tail: StreamTail): WriterAnswer | undefined => {
    const { events, expectedRevision } = request;
    const lastOfAppend = expectedRevision + events.length;
    const rows: Row[] = placed.all(tail.no, expectedRevision + 1, lastOfAppend);
    if (rows.length !== events.length) return undefined;
    const links: Uint8Array[] = [];
    let n = 0;
    for (const [index, event] of events.entries()) {
      const row = rows[index];
      if (!sameBytes(bytesIn(row, 'id'), parseEnvelope(event.envelope).eventId)) return undefined;
      links.push(bytesIn(row, 'link'));
      n = integerIn(row, 'position');
    }
    return { id, outcome: 'repeated', revision: lastOfAppend, n, links };
  };

  const append = (numbered: NumberedRequest): WriterAnswer => {
    const { id, request } = numbered;
    const { stream, events, expectedRevision } = request;
    const tail = tailOf(stream);
    const actual = tail?.revision ?? -1;
    if (expectedRevision !== actual) {
      const answered = tail && expectedRevision < actual ? repeated(numbered, tail) : undefined;
      return answered ?? { id, outcome: 'conflict', revision: actual };
    }
    const no = tail?.no ?? Number(insertStream.run(stream).lastInsertRowid);
    let revision = actual;
    for (const event of events) insert(no, ++revision, parseEnvelope(event.envelope), event);
    tails.set(stream, { no, revision });
    return { id, outcome: 'appended', revision, n: last };
  };

  /** Whatever was remembered of the transaction is forgotten with it. */
  const undo = (before: number): void => {
    if (database.isTransaction) rollback.run();
    tails.clear();
    types.clear();
    last = before;
  };

  return {
    last: () => last,
    commit: (group) => {
      const before = last;
      try {
        begin.run();
        const answers = group.map(append);
        commit.run();
        return answers;
      } catch (thrown) {
        // A page that did not fit was never part of a commit; every other fault leaves the fate open.
        if (sqliteFault(thrown) !== 'full') throw asError(thrown);
        undo(before);
        return group.map(({ id }) => ({ id, outcome: 'storage_full' }));
      }
    },
  };
};
