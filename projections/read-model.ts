import type { RecordedEvent } from '../schemas/events.ts';
import type { LogId } from '../schemas/position.ts';
import type { StreamName } from '../schemas/streams.ts';

/** Up to where a read model holds the log, stored with its rows. */
export interface AppliedPosition {
  readonly log: LogId;
  readonly n: number;
  /** The integer that rises along the line of logs (`EventLog.locate`). */
  readonly place: number;
  /** The newest event at or before it that was given to the model, to prove that this log still holds it; null: none yet. */
  readonly event: { readonly n: number; readonly eventId: string } | null;
}

/** What a read model is a function of. */
export type ProjectedEvent = Pick<
  RecordedEvent,
  'stream' | 'revision' | 'position' | 'time' | 'type' | 'schemaVersion' | 'critical' | 'event'
>;

/** What a follower gives a read model: events of one log in order, and how far the log was looked through. */
export interface FollowedBatch {
  readonly events: readonly ProjectedEvent[];
  readonly through: AppliedPosition;
}

/** Where an event of the batch lies on the line of logs. */
export const placeIn = ({ through }: FollowedBatch, { position }: ProjectedEvent): number =>
  position.n + (through.place - through.n);

/** The newest event up to `through`: of the events since, else the one of before, whose number then counts as that log does. */
export const newestEvent = (
  events: readonly RecordedEvent[],
  before: AppliedPosition | undefined,
  through: { readonly n: number; readonly place: number },
): AppliedPosition['event'] => {
  const last = events.at(-1);
  if (last !== undefined) return { n: last.position.n, eventId: last.eventId };
  if (before === undefined || before.event === null) return null;
  const place = before.place - (before.n - before.event.n);
  return { ...before.event, n: place - (through.place - through.n) };
};

/** A stream whose event could not be projected: later events of it wait, reads of it say `incomplete`. */
export interface ParkedStream {
  readonly stream: StreamName;
  readonly n: number;
  readonly revision: number;
  readonly error: string;
}

/** How a stream that was not parked stands while it is folded anew. */
export const unfinishedRefold = (stream: StreamName): ParkedStream => ({
  stream,
  n: 0,
  revision: 0,
  error: 'it is being folded anew',
});

/**
 * One version of a read model, as the follow loop writes it. The rows are a function of the log alone: the same events
 * in batches of any size, repeated from any earlier position, give the same rows.
 */
export interface ReadModelWriter {
  /**
   * Where the rows stand; undefined: nothing was ever applied. `applied` answers reads. `safe` proves absence, and whoever
   * follows begins there, for a store may forget what it acknowledged of late; undefined: nothing is safe yet. Where a
   * store forgets nothing they are one. Asked after anything went wrong.
   */
  position(): Promise<{ readonly applied: AppliedPosition; readonly safe: AppliedPosition | undefined } | undefined>;
  /**
   * Applies a batch: rows and position together, or the position after the rows at the same consistency; never ahead.
   * An event that cannot be projected parks its stream and the rest goes on.
   * Rejects when the store cannot be reached: the follower tries again from the stored position.
   */
  apply(batch: FollowedBatch): Promise<{ readonly parked: readonly ParkedStream[] }>;
  /** Streams parked so far. */
  parked(): Promise<readonly ParkedStream[]>;
  /**
   * Forgets what the model holds of a stream and folds it anew: `pages` hold its events from revision 0 up to the stored
   * position, which does not move. The stream is parked from the transaction that forgets it until the last page is in,
   * for missing rows must never pass for absent ones, and again if one of its events cannot be projected still; cut
   * short, it stays parked.
   */
  refold(stream: StreamName, pages: AsyncIterable<FollowedBatch>): Promise<void>;
  /**
   * Whether something that erased people wrote lies in the store still. No read shows it from the batch of the erasure on;
   * it goes by itself, also after a restart, and holds up no batch.
   */
  holdsErased(): Promise<boolean>;
  /** A canonical dump of the visible rows, line by line, in an order of its own; nothing in it depends on the clock. */
  dump(): AsyncIterable<string>;
  close(): Promise<void>;
}
