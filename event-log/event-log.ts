import type { NewEvent, RecordedEvent } from '../schemas/events.ts';
import type { Cursor, LogId, LogPosition } from '../schemas/position.ts';
import type { StreamKind, StreamName } from '../schemas/streams.ts';

/**
 * The source of truth: streams of events in one total order.
 *
 * Durability: what was answered `appended` is on disk (fsynced) or on a quorum, and stays for ever.
 * Order: revisions of a stream are 0, 1, 2 … with no hole; positions rise with every append; a reader of one stream and
 * a reader of the whole log see the events of that stream in the same order.
 */
export interface EventLog {
  /**
   * Appends all of `events` or none, if the stream's last revision is `expectedRevision` (−1: the stream is missing).
   *
   * Idempotent: if the same event ids already stand at exactly the revisions this append would give them, it answers as
   * the first did, whatever lies behind them.
   *
   * Never throws for what a backend does; the four outcomes are the whole contract. After `unknown` the same batch (the
   * same `NewEvent` objects) may be given again, as often as one likes: it keeps its ciphertext and its links.
   *
   * Personal fields are encrypted under their subject's key, which must exist: without one the answer is `refused`.
   */
  append(stream: StreamName, events: readonly NewEvent[], expectedRevision: number): Promise<AppendOutcome>;

  /**
   * A page of a stream: up to `limit` events and about 4 MiB, from the revision `from` on, forwards or backwards (`from`
   * included; 'end' is the last event). At least one event unless the stream ends there or is missing; fewer than
   * `limit` do not mean its end. Backwards from a revision that is not there yet begins at the last event.
   * Throws `LogDamaged` rather than give out an event whose checksum, place or link is wrong, and `LogAway` when the log
   * cannot be reached for so long that nobody should wait.
   */
  readStream(
    stream: StreamName,
    from: number | 'end',
    direction: 'forwards' | 'backwards',
    limit: number,
  ): Promise<readonly RecordedEvent[]>;

  /** The position of the last event this log has acknowledged or seen. Never behind an answered append. */
  head(): LogPosition;

  /** Where a position lies on this log's line. A position up to the cut of an ancestor is `known`. */
  locate(position: LogPosition): Located;

  /** The same for a cursor; `null` lies before the first event. `unknown` if it names no log of this line. */
  locateCursor(cursor: Cursor | null): Located;

  /** The position of a place that this log gave out. */
  positionAt(place: number): LogPosition;

  /** Follows the log from a place given by `locate`; see `Tail`. */
  tail(options: TailOptions): Tail;

  /** Whether everything after a place is in memory: then a tail from there reads no store. */
  isRecent(place: number): boolean;

  /** To be called when a key was destroyed: what was read with it is not given out from memory any more. */
  forgetRecent(): void;

  /** Whether no other process can append: then a cached tail of a stream is the tail. */
  readonly soleWriter: boolean;

  /** Why the log cannot be reached at the moment; undefined: it can. */
  away(): string | undefined;

  /** Resolves when the log can append or read no more in this process; the process must end, and recovery decides the fates. */
  readonly failed: Promise<Error>;

  /** Waits for appends under way, then gives back what the log holds. Repeating it changes nothing. */
  close(): Promise<void>;
}

export type AppendOutcome =
  | {
      readonly outcome: 'appended';
      /** Of the last event. */
      readonly revision: number;
      /** At or after the last event. */
      readonly position: LogPosition;
      /** One per event: the chain's link as base64url, null in a stream without a chain. */
      readonly links: readonly (string | null)[];
    }
  | {
      readonly outcome: 'conflict';
      /** −1 when the stream is missing. */
      readonly actualRevision: number;
    }
  /** Known not to be written. */
  | { readonly outcome: 'refused'; readonly why: 'storage_full' | 'too_large' | 'key_missing' | 'closed' }
  /** The same: a key or the link that the events continue could not be had, or the store does not take it from us at all. */
  | { readonly outcome: 'refused'; readonly why: 'unprepared'; readonly cause: Error }
  /** Perhaps written, perhaps not, perhaps later. */
  | { readonly outcome: 'unknown'; readonly cause: Error };

/** `place` is the one integer, below 2^53, that rises along the line of logs. */
export type Located =
  | { readonly where: 'known'; readonly place: number }
  /** After this log's head: of a log that lost its tail, or not yet visible here. */
  | { readonly where: 'future' }
  | { readonly where: 'unknown_epoch' };

export interface TailOptions {
  /** The place after which to begin; 0 is the beginning. */
  readonly from: number;
  readonly streamKinds: readonly StreamKind[];
  /** Ends the tail; a pull under way then rejects with the signal's reason. */
  readonly signal: AbortSignal;
}

/**
 * A cursor that is pulled: it holds no events of its own, so a slow reader costs no memory. A pull answers from the
 * recent events in memory if they reach back far enough, else from the store: catching up and following live are the
 * same code and have no seam. Every event of the kinds asked for comes exactly once, in order.
 */
export interface Tail {
  /**
   * The next batch: as soon as there are events after the last one, or a read of the store that found none has come to
   * the head; at the latest after a second, then perhaps without events. One pull at a time.
   */
  pull(): Promise<TailBatch>;
  /** The same if it can be answered from memory without waiting; else undefined. */
  pullNow(): TailBatch | undefined;
}

export interface TailBatch {
  /** All events of a batch lie in one log. */
  readonly log: LogId;
  readonly events: readonly RecordedEvent[];
  /** How far this batch looked, events of other kinds included, as a position and as its place. */
  readonly through: LogPosition;
  readonly throughPlace: number;
  /** Nothing lay behind `through` when the batch was made. */
  readonly caughtUp: boolean;
}

/** A stored event is not what was written: a checksum, a revision or a link does not fit. */
export class LogDamaged extends Error {
  override readonly name = 'LogDamaged';
  /** What is wrong with it. */
  readonly what: string;
  /** The place of the event in its store (`StoredEvent.n`), where it is known. */
  readonly n: number | undefined;

  constructor(what: string, options: ErrorOptions & { readonly n?: number | undefined } = {}) {
    super(options.n === undefined ? what : `event ${options.n} of the log: ${what}`, options);
    this.what = what;
    this.n = options.n;
  }
}

/** The server that holds the log does not answer; later it may. */
export class LogAway extends Error {
  override readonly name = 'LogAway';
}

/** The data cannot be opened; the message is one clear line for the person at the terminal. */
export class LogUnusable extends Error {
  override readonly name = 'LogUnusable';
}
