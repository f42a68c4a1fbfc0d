import type { DatabaseSync } from 'node:sqlite';
import { inTransaction } from '../command-side/sqlite-file.ts';
import type { LogId } from '../schemas/position.ts';
import { kindOf, subjectOf, type StreamName } from '../schemas/streams.ts';
import { projectSearch } from './project-search.ts';
import {
  placeIn,
  unfinishedRefold,
  type AppliedPosition,
  type FollowedBatch,
  type ProjectedEvent,
  type ParkedStream,
} from './read-model.ts';
import { dumpPage, type DumpPage, type DumpedPage } from './sqlite-search-dump.ts';
import { shardState, termsTable } from './sqlite-search-file.ts';
import { searchRows } from './sqlite-search-rows.ts';
import { isStoreFault } from './sqlite-store-fault.ts';

/** All but `tidy` run inside a transaction of the caller's. */
export interface SearchWriter {
  position(): AppliedPosition | undefined;
  apply(batch: FollowedBatch): readonly ParkedStream[];
  parked(): readonly ParkedStream[];
  /** Refolding: the stream is parked until the end, and rows of it show in no search. */
  beginRefold(stream: StreamName): void;
  refoldPage(page: FollowedBatch): ParkedStream | undefined;
  endRefold(stream: StreamName): void;
  dump(page: DumpPage): DumpedPage;
  holdsErased(): boolean;
  /** Whether `tidy` should not wait for a quiet moment. */
  isUntidy(): boolean;
  /** A step of taking from the disk what was erased, and of packing; it takes up what an end of the process left undone. */
  tidy(): 'more' | 'later' | 'done';
  /** The caller rolled its transaction back. */
  rolledBack(): void;
}

export const readPosition = (db: DatabaseSync): (() => AppliedPosition | undefined) => {
  const select = db.prepare('SELECT log, n, place, event_n, event_id FROM progress');
  return () => {
    const row = select.get();
    if (row === undefined) return undefined;
    const { event_n: n, event_id: eventId } = row;
    return {
      log: String(row['log']) as LogId,
      n: Number(row['n']),
      place: Number(row['place']),
      event: n === null ? null : { n: Number(n), eventId: String(eventId) },
    };
  };
};

export const searchWriter = (db: DatabaseSync): SearchWriter => {
  const rows = searchRows(db);
  const position = readPosition(db);
  const setPosition = db.prepare('INSERT OR REPLACE INTO progress VALUES (1, ?, ?, ?, ?, ?)');
  const selectParked = db.prepare('SELECT stream, n, revision, error FROM parked ORDER BY stream');
  const addParked = db.prepare('INSERT OR REPLACE INTO parked VALUES (?, ?, ?, ?)');
  const removeParked = db.prepare('DELETE FROM parked WHERE stream = ?');
  const shardToPurge = db.prepare(`SELECT shard FROM shards WHERE state = ${shardState.toPurge} LIMIT 1`);
  const shardToPack = db.prepare(
    'SELECT shard FROM shards WHERE packed = 0 AND shard < (SELECT max(shard) FROM shards) LIMIT 1',
  );
  const merged = db.prepare(
    `UPDATE shards SET state = ${shardState.clean}, packed = shard < (SELECT max(shard) FROM shards) WHERE shard = ?`,
  );
  // Also where the last process ended before it came to it.
  let walHoldsErased = true;
  let parkedStreams: Set<string> | undefined;

  const store = ({ stream, n, revision, error }: ParkedStream): void => {
    addParked.run(stream, n, revision, error);
    if (kindOf(stream) === 'conversation') rows.setParked(subjectOf(stream), true);
    parkedStreams?.add(stream);
  };
  const park = ({ stream, position: { n }, revision }: ProjectedEvent, error: unknown): ParkedStream => {
    const poisoned: ParkedStream = { stream, n, revision, error: String(error) };
    store(poisoned);
    return poisoned;
  };

  /** Undefined: applied. */
  const applyEvent = (recorded: ProjectedEvent, place: number): ParkedStream | undefined => {
    try {
      for (const change of projectSearch(recorded)) rows.apply(change, place);
      return undefined;
    } catch (error) {
      // A broken statement changed nothing by itself; any other error of the store is the whole batch's.
      if (isStoreFault(error)) throw error;
      return park(recorded, error);
    }
  };

  const parked = (): readonly ParkedStream[] =>
    selectParked.all().map((row) => ({
      stream: String(row['stream']) as StreamName,
      n: Number(row['n']),
      revision: Number(row['revision']),
      error: String(row['error']),
    }));

  return {
    position,
    parked,
    apply(batch) {
      const { events, through } = batch;
      const applied = position()?.place ?? 0;
      if (through.place <= applied) return [];
      parkedStreams ??= new Set(parked().map(({ stream }) => stream));
      const newlyParked: ParkedStream[] = [];
      for (const recorded of events) {
        const place = placeIn(batch, recorded);
        if (place <= applied || parkedStreams.has(recorded.stream)) continue;
        const poison = applyEvent(recorded, place);
        if (poison !== undefined) newlyParked.push(poison);
      }
      const { log, n, place, event } = through;
      setPosition.run(log, n, place, event?.n ?? null, event?.eventId ?? null);
      return newlyParked;
    },
    beginRefold(stream) {
      if (kindOf(stream) === 'conversation') rows.forgetConversation(subjectOf(stream));
      if (kindOf(stream) === 'user') rows.forgetUser(subjectOf(stream));
      if (!parked().some((one) => one.stream === stream)) store(unfinishedRefold(stream));
    },
    refoldPage(page) {
      for (const recorded of page.events) {
        const poison = applyEvent(recorded, placeIn(page, recorded));
        if (poison !== undefined) return poison;
      }
      return undefined;
    },
    endRefold(stream) {
      if (kindOf(stream) === 'conversation') rows.setParked(subjectOf(stream), false);
      removeParked.run(stream);
      parkedStreams?.delete(stream);
    },
    dump: (page) => dumpPage(db, page),
    holdsErased: () => rows.holdsErased() || shardToPurge.get() !== undefined || walHoldsErased,
    isUntidy: () => rows.holdsErased() || shardToPurge.get() !== undefined || shardToPack.get() !== undefined,
    tidy() {
      if (rows.holdsErased()) {
        inTransaction(db, () => rows.eraseSome());
        return 'more';
      }
      const toPurge = shardToPurge.get();
      const { shard } = toPurge ?? shardToPack.get() ?? {};
      if (shard !== undefined) {
        inTransaction(db, () => {
          const table = termsTable(Number(shard));
          db.exec(`INSERT INTO ${table} (${table}) VALUES ('optimize')`);
          merged.run(shard);
        });
        walHoldsErased ||= toPurge !== undefined;
        return 'more';
      }
      // Busy while a reader holds an older view.
      if (db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.['busy'] !== 0) return 'later';
      walHoldsErased = false;
      return 'done';
    },
    rolledBack() {
      rows.forgetCached();
      parkedStreams = undefined;
    },
  };
};
