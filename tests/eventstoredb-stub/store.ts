import { randomUUID } from 'node:crypto';
import { DatabaseSync, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { decideAppend } from './decide-append.ts';
import { RecentIds } from './recent-ids.ts';
import {
  type CurrentRevision,
  type ExpectedRevision,
  metadataStreamOf,
  type ProposedEvent,
  type StoredEvent,
  tombstoneRevision,
} from './stored-event.ts';
import {
  hiddenBy,
  isSoftDeleted,
  noMetadata,
  readMetadata,
  type StreamMetadata,
  writeTruncateBefore,
} from './stream-metadata.ts';

export type AppendOutcome =
  | { readonly kind: 'appended'; readonly revision: CurrentRevision; readonly position: bigint }
  | { readonly kind: 'conflict'; readonly current: CurrentRevision }
  | { readonly kind: 'deleted' };

export type Direction = 'forwards' | 'backwards';

const schema = `
  CREATE TABLE IF NOT EXISTS records (
    position INTEGER PRIMARY KEY,
    ends INTEGER NOT NULL,
    stream TEXT NOT NULL,
    revision INTEGER,
    id TEXT,
    type TEXT,
    content_type TEXT,
    created INTEGER,
    metadata BLOB,
    data BLOB
  );
  CREATE UNIQUE INDEX IF NOT EXISTS records_by_stream ON records (stream, revision) WHERE revision IS NOT NULL;
`;

const columns = 'position, stream, revision, id, type, content_type AS contentType, created, metadata, data';

/** What a record takes besides its names and bodies. */
const recordOverhead = 90;

/**
 * The log of the server: one row a record, in a file that outlives a killed process (not a power cut: nobody waits for the
 * disk here). What the real server only holds in memory, the ids of recent events, is gone when it opens again.
 */
export class Store {
  private readonly db: DatabaseSync;
  private readonly recent = new RecentIds();
  private readonly lastRevisions = new Map<string, bigint>();
  private readonly statements: Record<
    'insert' | 'lastOf' | 'byRevision' | 'exists' | 'forwards' | 'backwards' | 'allForwards' | 'allBackwards',
    StatementSync
  >;
  private end: bigint;

  /** `loseNewest` records are gone, as when an older copy of the file was put back. */
  constructor(path: string, loseNewest: number) {
    this.db = new DatabaseSync(path);
    this.db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;');
    this.db.exec(schema);
    this.db
      .prepare('DELETE FROM records WHERE position IN (SELECT position FROM records ORDER BY position DESC LIMIT ?)')
      .run(loseNewest);
    const prepare = (sql: string): StatementSync => {
      const statement = this.db.prepare(sql);
      statement.setReadBigInts(true);
      return statement;
    };
    const ofStream = `SELECT ${columns} FROM records WHERE stream = ? AND created >= ? AND revision`;
    const ofAll = `SELECT ${columns} FROM records WHERE revision IS NOT NULL AND position`;
    this.statements = {
      insert: prepare('INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'),
      lastOf: prepare('SELECT max(revision) AS last FROM records WHERE stream = ? AND revision IS NOT NULL'),
      byRevision: prepare('SELECT id, position FROM records WHERE stream = ? AND revision = ?'),
      exists: prepare('SELECT 1 FROM records WHERE position = ?'),
      forwards: prepare(`${ofStream} >= ? ORDER BY revision LIMIT ?`),
      backwards: prepare(`${ofStream} <= ? ORDER BY revision DESC LIMIT ?`),
      allForwards: prepare(`${ofAll} >= ? ORDER BY position LIMIT ?`),
      allBackwards: prepare(`${ofAll} < ? ORDER BY position DESC LIMIT ?`),
    };
    this.end = bigintOf(prepare('SELECT coalesce(max(ends), 0) AS value FROM records').get()?.['value']);
    this.writeEpoch();
  }

  /** The least position that no record has yet. */
  get endOfLog(): bigint {
    return this.end;
  }

  append(stream: string, expected: ExpectedRevision, events: readonly ProposedEvent[]): AppendOutcome {
    const last = this.lastRevisionOf(stream);
    const softDeleted = isSoftDeleted(this.metadataOf(stream));
    const ids = events.map(({ id }) => id);
    const decision = decideAppend(expected, ids, {
      last,
      softDeleted,
      idAt: (revision) => this.at(stream, revision)?.id,
      recentRevisionOf: (id) => this.recent.revisionOf(stream, id),
    });
    switch (decision.kind) {
      case 'deleted':
        return { kind: 'deleted' };
      case 'conflict':
        return { kind: 'conflict', current: currentOf(last) };
      case 'repeated':
        return {
          kind: 'appended',
          revision: decision.last,
          position: this.at(stream, decision.last)?.position ?? this.end,
        };
      case 'write':
        return this.transaction(() => {
          const position = this.write(stream, last, events);
          if (softDeleted && events.length > 0) this.setTruncateBefore(stream, last + 1n);
          return { kind: 'appended', revision: currentOf(last + BigInt(events.length)), position };
        });
    }
  }

  /** Of a stream that `$tb` is to hide: softly, so that it goes on counting when somebody appends again. */
  deleteSoftly(stream: string, expected: ExpectedRevision): AppendOutcome {
    return this.endStream(stream, expected, () => this.setTruncateBefore(stream, tombstoneRevision));
  }

  tombstone(stream: string, expected: ExpectedRevision): AppendOutcome {
    const event = { ...systemEvent('$streamDeleted', new Uint8Array()), contentType: 'application/octet-stream' };
    return this.endStream(stream, expected, () => this.write(stream, tombstoneRevision - 1n, [event]));
  }

  /** -1n: it has no event. */
  lastRevisionOf(stream: string): bigint {
    const known = this.lastRevisions.get(stream);
    if (known !== undefined) return known;
    const stored = this.statements.lastOf.get(stream)?.['last'];
    const last = typeof stored === 'bigint' ? stored : -1n;
    this.lastRevisions.set(stream, last);
    return last;
  }

  metadataOf(stream: string): StreamMetadata {
    const metadataStream = metadataStreamOf(stream);
    const last = this.lastRevisionOf(metadataStream);
    if (last < 0n) return noMetadata(stream);
    const [row] = this.statements.backwards.all(metadataStream, 0n, last, 1);
    return row ? readMetadata(storedEvent(row).data) : noMetadata(stream);
  }

  /** From `revision` on, without what the stream's metadata hide. */
  readStream(stream: string, revision: bigint, direction: Direction, limit: number, now: bigint): StoredEvent[] {
    const hidden = hiddenBy(this.metadataOf(stream), this.lastRevisionOf(stream), now);
    const from = direction === 'forwards' && revision < hidden.revisionsBelow ? hidden.revisionsBelow : revision;
    return this.statements[direction]
      .all(stream, hidden.createdBefore, from, limit)
      .map(storedEvent)
      .filter((event) => event.revision >= hidden.revisionsBelow);
  }

  /** Forwards with the event at `position`, backwards without. */
  readAll(position: bigint, direction: Direction, limit: number): StoredEvent[] {
    const statement = direction === 'forwards' ? this.statements.allForwards : this.statements.allBackwards;
    return statement.all(position, limit).map(storedEvent);
  }

  /** Whether a record begins there, or may begin there one day. */
  isPosition(position: bigint): boolean {
    return position >= this.end || this.statements.exists.get(position) !== undefined;
  }

  close(): void {
    this.db.close();
  }

  private endStream(stream: string, expected: ExpectedRevision, write: () => bigint): AppendOutcome {
    const last = this.lastRevisionOf(stream);
    if (last === tombstoneRevision) return { kind: 'deleted' };
    const met = expected === 'any' || expected === 'stream_exists' ? last >= 0n : currentOf(last) === expected;
    if (!met) return { kind: 'conflict', current: currentOf(last) };
    return this.transaction(() => ({ kind: 'appended', revision: currentOf(last), position: write() }));
  }

  private at(stream: string, revision: bigint): { id: string; position: bigint } | undefined {
    const row = this.statements.byRevision.get(stream, revision);
    return row && { id: String(row['id']), position: bigintOf(row['position']) };
  }

  private setTruncateBefore(stream: string, revision: bigint): bigint {
    const metadataStream = metadataStreamOf(stream);
    const data = writeTruncateBefore(this.metadataOf(stream), revision);
    return this.write(metadataStream, this.lastRevisionOf(metadataStream), [systemEvent('$metadata', data)]);
  }

  /** The real server notes each of its starts in the log, where whoever follows all of it meets them. */
  private writeEpoch(): void {
    const stream = '$epoch-information';
    this.write(stream, this.lastRevisionOf(stream), [systemEvent(stream, Buffer.from('{}'))]);
  }

  /** The position of the last record written. An append of no events is a record too. */
  private write(stream: string, last: bigint, events: readonly ProposedEvent[]): bigint {
    const created = BigInt(Date.now()) * 10_000n;
    const records: readonly (ProposedEvent | undefined)[] = events.length > 0 ? events : [undefined];
    let revision = last;
    let position = this.end;
    for (const event of records) {
      position = this.end;
      const bytes = event ? event.type.length + event.data.length + event.metadata.length : 0;
      this.end += BigInt(recordOverhead + stream.length + bytes);
      if (!event) {
        this.statements.insert.run(position, this.end, stream, null, null, null, null, null, null, null);
        continue;
      }
      revision += 1n;
      const { id, type, contentType, metadata, data } = event;
      this.statements.insert.run(position, this.end, stream, revision, id, type, contentType, created, metadata, data);
      this.recent.add(stream, id, revision);
    }
    this.lastRevisions.set(stream, revision);
    return position;
  }

  private transaction<T>(work: () => T): T {
    const { end } = this;
    this.db.exec('BEGIN');
    try {
      const result = work();
      this.db.exec('COMMIT');
      return result;
    } catch (error) {
      this.db.exec('ROLLBACK');
      this.end = end;
      this.lastRevisions.clear();
      throw error;
    }
  }
}

const currentOf = (last: bigint): CurrentRevision => (last < 0n ? 'no_stream' : last);

const systemEvent = (type: string, data: Uint8Array): ProposedEvent => ({
  id: randomUUID(),
  type,
  contentType: 'application/json',
  metadata: new Uint8Array(),
  data,
});

const bigintOf = (value: SQLOutputValue | undefined): bigint => {
  if (typeof value !== 'bigint') throw new TypeError(`Not an integer: ${String(value)}`);
  return value;
};

const bytesOf = (value: SQLOutputValue | undefined): Uint8Array =>
  value instanceof Uint8Array ? value : new Uint8Array();

const storedEvent = (row: Record<string, SQLOutputValue>): StoredEvent => ({
  position: bigintOf(row['position']),
  stream: String(row['stream']),
  revision: bigintOf(row['revision']),
  id: String(row['id']),
  type: String(row['type']),
  contentType: String(row['contentType']),
  created: bigintOf(row['created']),
  metadata: bytesOf(row['metadata']),
  data: bytesOf(row['data']),
});
