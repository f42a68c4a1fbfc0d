import { workerData } from 'node:worker_threads';
import { inTransaction } from '../command-side/sqlite-file.ts';
import { serveCalls } from '../command-side/sqlite-worker.ts';
import type { LogId } from '../schemas/position.ts';
import type { StreamName } from '../schemas/streams.ts';
import { batchFromJson } from './batch-json.ts';
import { projectInbox } from './project-inbox.ts';
import {
  placeIn,
  unfinishedRefold,
  type AppliedPosition,
  type FollowedBatch,
  type ProjectedEvent,
  type ParkedStream,
} from './read-model.ts';
import { numberIn, numberOrNull, openInboxForWriting, textOrNull, type Row } from './sqlite-inbox-file.ts';
import { inboxErasing } from './sqlite-inbox-erasing.ts';
import { inboxRows } from './sqlite-inbox-rows.ts';
import { isStoreFault } from './sqlite-store-fault.ts';
import { tidying } from './sqlite-tidying.ts';

/** Batches come as `batchToJson` writes them. */
export interface InboxWriterCalls {
  position: { ask: null; answer: AppliedPosition | null };
  parked: { ask: null; answer: readonly ParkedStream[] };
  apply: { ask: string; answer: readonly ParkedStream[] };
  /** Empties a stream; it is parked until all of it is in again. */
  forget: { ask: StreamName; answer: null };
  /** Folds events of a parked stream; the stream as it is parked again, if it cannot. */
  foldParked: { ask: string; answer: ParkedStream | null };
  unpark: { ask: StreamName; answer: null };
  holdsErased: { ask: null; answer: boolean };
}

const { path } = workerData as { path: string };
const db = openInboxForWriting(path);
const rows = inboxRows(db);
const erasing = inboxErasing(db);

const selectPosition = db.prepare('SELECT log, n, place, event_n, event_id FROM position');
const storePosition = db.prepare(
  'INSERT OR REPLACE INTO position (one, log, n, place, event_n, event_id) VALUES (1, ?, ?, ?, ?, ?)',
);
const selectParked = db.prepare('SELECT stream, n, revision, error FROM parked ORDER BY stream');
const storeParked = db.prepare('INSERT OR REPLACE INTO parked (stream, n, revision, error) VALUES (?, ?, ?, ?)');
const deleteParked = db.prepare('DELETE FROM parked WHERE stream = ?');

const positionIn = (row: Row): AppliedPosition => {
  const eventN = numberOrNull(row, 'event_n');
  return {
    log: (textOrNull(row, 'log') ?? '') as LogId,
    n: numberIn(row, 'n'),
    place: numberIn(row, 'place'),
    event: eventN === null ? null : { n: eventN, eventId: textOrNull(row, 'event_id') ?? '' },
  };
};
const parkedIn = (row: Row): ParkedStream => ({
  stream: (textOrNull(row, 'stream') ?? '') as StreamName,
  n: numberIn(row, 'n'),
  revision: numberIn(row, 'revision'),
  error: textOrNull(row, 'error') ?? '',
});

const parked = new Map(selectParked.all().map((row) => [parkedIn(row).stream, parkedIn(row)]));
let position = selectPosition.all().map(positionIn)[0];
// Also where the last process ended before it came to it.
let walHoldsErased = true;

const inOneTransaction = (work: () => void): void => {
  try {
    inTransaction(db, () => {
      work();
      rows.flush();
    });
  } catch (error) {
    rows.rolledBack();
    throw error;
  }
};

/** What was erased goes from the file, then from the WAL, which holds it in older frames and is then empty. */
const tidyStep = (): 'more' | 'later' | 'done' => {
  if (erasing.isDue()) {
    inOneTransaction(() => erasing.slice());
    walHoldsErased = true;
    return 'more';
  }
  // Busy while a reader holds an older view.
  if (db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.['busy'] !== 0) return 'later';
  walHoldsErased = false;
  return 'done';
};
const tidy = tidying(tidyStep, () => erasing.rolledBack());

/** An error that says nothing of the store: of this event alone. */
class Poison extends Error {
  readonly stream: ParkedStream;
  constructor({ stream, revision, position: { n } }: ProjectedEvent, cause: unknown) {
    super('an event cannot be projected', { cause });
    this.stream = { stream, revision, n, error: cause instanceof Error ? cause.message : String(cause) };
  }
}

const write = (event: ProjectedEvent, place: number): void => {
  try {
    for (const change of projectInbox(event)) rows.write(change, place);
  } catch (error) {
    throw isStoreFault(error) ? error : new Poison(event, error);
  }
  if (event.event?.type === 'user-erased') tidy.soon();
};

/** Repeated without the stream, if an event of it cannot be projected. */
const applyWithout = (batch: FollowedBatch, newlyParked: Map<StreamName, ParkedStream>): void => {
  const { through, events } = batch;
  const reached = position?.place ?? -1;
  try {
    inOneTransaction(() => {
      for (const event of events) {
        const place = placeIn(batch, event);
        if (place <= reached || parked.has(event.stream)) continue;
        if (event.position.n >= (newlyParked.get(event.stream)?.n ?? Infinity)) continue;
        write(event, place);
      }
      for (const { stream, n, revision, error } of newlyParked.values()) storeParked.run(stream, n, revision, error);
      const { log, n, place, event } = through;
      storePosition.run(log, n, place, event?.n ?? null, event?.eventId ?? null);
    });
  } catch (error) {
    if (!(error instanceof Poison)) throw error;
    newlyParked.set(error.stream.stream, error.stream);
    applyWithout(batch, newlyParked);
  }
};

serveCalls<InboxWriterCalls>({
  calls: {
    position: () => position ?? null,
    parked: () => [...parked.values()],
    apply(json) {
      const batch = batchFromJson(json);
      if (batch.through.place <= (position?.place ?? -1)) return [];
      const newlyParked = new Map<StreamName, ParkedStream>();
      applyWithout(batch, newlyParked);
      for (const stream of newlyParked.values()) parked.set(stream.stream, stream);
      position = batch.through;
      tidy.whenIdle();
      return [...newlyParked.values()];
    },
    forget(stream) {
      const waiting = parked.get(stream) ?? unfinishedRefold(stream);
      inOneTransaction(() => {
        rows.forget(stream);
        storeParked.run(stream, waiting.n, waiting.revision, waiting.error);
      });
      parked.set(stream, waiting);
      return null;
    },
    foldParked(json) {
      const page = batchFromJson(json);
      try {
        inOneTransaction(() => {
          for (const event of page.events) write(event, placeIn(page, event));
        });
        return null;
      } catch (error) {
        if (!(error instanceof Poison)) throw error;
        const { stream, n, revision, error: why } = error.stream;
        storeParked.run(stream, n, revision, why);
        parked.set(stream, error.stream);
        return error.stream;
      }
    },
    unpark(stream) {
      deleteParked.run(stream);
      parked.delete(stream);
      return null;
    },
    holdsErased: () => erasing.isDue() || walHoldsErased,
  },
  // Each call commits by itself: one that fails must not take the others along.
  transaction: (work) => work(),
  committed: () => undefined,
  // The follower hears of it and tries again from the stored position.
  survives: () => true,
  close() {
    tidy.stop();
    db.close();
  },
});
tidy.soon();
