import type { EventOf, NewEvent } from '../schemas/events.ts';
import { uuidV7, type EventId } from '../schemas/ids.ts';
import type { Cursor, LogId, LogPosition } from '../schemas/position.ts';
import { logStream } from '../schemas/streams.ts';
import type { RandomBytes } from './encryption.ts';
import { LogDamaged, type AppendOutcome, type EventLog, type Located } from './event-log.ts';

type EpochStarted = EventOf<'epoch-started'>;

interface Epoch {
  readonly log: LogId;
  /** Added to n, it gives the place. */
  readonly base: number;
  /** n of its `epoch-started` event. */
  readonly first: number;
  /** The parent's last n that is part of this line. */
  readonly cut: number;
}

/**
 * The line of logs that a store holds, oldest first. An event lies in the log of the last `epoch-started` event at or
 * before it. Positions name a log and count in it; places are the one integer that rises along the line.
 */
export class Epochs {
  readonly #line: Epoch[] = [];
  #current: Epoch | undefined;

  /** What is known already is passed over: the events of the stream that says so may be read again. */
  add({ log, parent, base }: EpochStarted, n: number): void {
    const current = this.#current;
    if (current !== undefined && n <= current.first) return;
    if (parent !== null && parent.log !== current?.log) {
      throw new LogDamaged(`epoch ${log} does not continue the one before it`, { n });
    }
    this.#current = { log, base, first: n, cut: parent?.cut ?? 0 };
    this.#line.push(this.#current);
  }

  get isEmpty(): boolean {
    return this.#current === undefined;
  }

  #last(): Epoch {
    if (this.#current === undefined) throw new LogDamaged('the log has no epoch');
    return this.#current;
  }

  /** n of 0 stands at the beginning of the first log. */
  #epochAt(n: number): Epoch {
    const last = this.#last();
    if (n >= last.first) return last;
    return this.#line.findLast(({ first }) => first <= n) ?? this.#line[0] ?? last;
  }

  positionOf(n: number): LogPosition {
    return { log: this.#epochAt(n).log, n };
  }

  placeOf(n: number): number {
    return this.#epochAt(n).base + n;
  }

  /** The n of a place that `locate` gave. */
  nAt(place: number): number {
    const epoch = this.#line.findLast(({ base, first }) => base + first <= place) ?? this.#line[0] ?? this.#last();
    return place - epoch.base;
  }

  /** n of the last event that lies in the same log as the one at `n`. */
  endOf(n: number): number {
    if (n >= this.#last().first) return Number.MAX_SAFE_INTEGER;
    const next = this.#line.find(({ first }) => first > n);
    return next === undefined ? Number.MAX_SAFE_INTEGER : next.first - 1;
  }

  locate({ log, n }: LogPosition, head: number): Located {
    const index = this.#line.findIndex((epoch) => epoch.log === log);
    const epoch = this.#line[index];
    if (epoch === undefined || !Number.isSafeInteger(n) || n < 0) return { where: 'unknown_epoch' };
    const child = this.#line[index + 1];
    if (child !== undefined && n > child.cut) return { where: 'unknown_epoch' };
    if (child === undefined && n > head) return { where: 'future' };
    return { where: 'known', place: epoch.base + n };
  }

  locateCursor(cursor: Cursor | null, head: number): Located {
    if (cursor === null) return { where: 'known', place: 0 };
    for (const [log, n] of cursor) {
      const located = this.locate({ log, n }, head);
      if (located.where !== 'unknown_epoch') return located;
    }
    return { where: 'unknown_epoch' };
  }
}

export interface EpochDependencies {
  readonly clock: { now(): number };
  readonly randomBytes: RandomBytes;
}

/** The event that begins an epoch after `parent`'s head, or the very first one. */
export const epochEvent = (
  reason: EpochStarted['reason'],
  parent: EpochStarted['parent'],
  { clock, randomBytes }: EpochDependencies,
): NewEvent => {
  const time = clock.now();
  const eventId = uuidV7(time, randomBytes(10)) as EventId;
  const log = Buffer.from(randomBytes(16)).toString('base64url') as LogId;
  const event: EpochStarted = { type: 'epoch-started', log, parent, base: 0, reason };
  return { eventId, time, causationId: eventId, correlationId: eventId, event };
};

/**
 * Begins a new epoch at the head: after a restore, so that positions of the tail it lost are told from those that
 * follow. Nothing else may append meanwhile.
 */
export const startEpoch = async (
  log: EventLog,
  reason: Exclude<EpochStarted['reason'], 'new'>,
  dependencies: EpochDependencies,
): Promise<AppendOutcome> => {
  const [newest] = await log.readStream(logStream, 'end', 'backwards', 1);
  const { log: parent, n: cut } = log.head();
  return log.append(logStream, [epochEvent(reason, { log: parent, cut }, dependencies)], newest?.revision ?? -1);
};
