import type { EventOf, NewEvent } from '../schemas/events.ts';
import { uuidV7, type EventId } from '../schemas/ids.ts';
import type { Cursor, LogId, LogPosition } from '../schemas/position.ts';
import { logStream } from '../schemas/streams.ts';
import type { RandomBytes } from './encryption.ts';
import { LogDamaged, type AppendOutcome, type EventLog, type Located } from './event-log.ts';

type EpochStarted = EventOf<'epoch-started'>;

interface Epoch {
  readonly log: LogId;
  /** Added to n of a position of this log, it gives the place. */
  readonly base: number;
  /** The place of its `epoch-started` event. */
  readonly first: number;
  /** The parent's last place that is part of this line. */
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
  add({ log, parent, base }: EpochStarted, place: number): void {
    const current = this.#current;
    if (current !== undefined && place <= current.first) return;
    if (parent !== null && parent.log !== current?.log) {
      throw new LogDamaged(`epoch ${log} does not continue the one before it`, { n: place });
    }
    const cut = parent === null ? 0 : (current?.base ?? 0) + parent.cut;
    this.#current = { log, base, first: place, cut };
    this.#line.push(this.#current);
  }

  get isEmpty(): boolean {
    return this.#current === undefined;
  }

  #last(): Epoch {
    if (this.#current === undefined) throw new LogDamaged('the log has no epoch');
    return this.#current;
  }

  /** 0 stands at the beginning of the first log. */
  #epochAt(place: number): Epoch {
    const last = this.#last();
    if (place >= last.first) return last;
    return this.#line.findLast(({ first }) => first <= place) ?? this.#line[0] ?? last;
  }

  positionOf(place: number): LogPosition {
    const { log, base } = this.#epochAt(place);
    return { log, n: place - base };
  }

  /** The place of the last event that lies in the same log as the one at `place`. */
  endOf(place: number): number {
    if (place >= this.#last().first) return Number.MAX_SAFE_INTEGER;
    const next = this.#line.find(({ first }) => first > place);
    return next === undefined ? Number.MAX_SAFE_INTEGER : next.first - 1;
  }

  locate({ log, n }: LogPosition, head: number): Located {
    const index = this.#line.findIndex((epoch) => epoch.log === log);
    const epoch = this.#line[index];
    if (epoch === undefined || !Number.isSafeInteger(n) || n < 0) return { where: 'unknown_epoch' };
    const place = epoch.base + n;
    const child = this.#line[index + 1];
    if (child !== undefined && place > child.cut) return { where: 'unknown_epoch' };
    if (child === undefined && place > head) return { where: 'future' };
    return { where: 'known', place };
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

/** The event that begins an epoch. */
export const epochEvent = (
  begins: Pick<EpochStarted, 'reason' | 'parent' | 'base' | 'pairs'>,
  { clock, randomBytes }: EpochDependencies,
): NewEvent => {
  const time = clock.now();
  const eventId = uuidV7(time, randomBytes(10)) as EventId;
  const log = Buffer.from(randomBytes(16)).toString('base64url') as LogId;
  const event: EpochStarted = { type: 'epoch-started', log, ...begins };
  return { eventId, time, causationId: eventId, correlationId: eventId, event };
};

/**
 * Begins a new epoch at the head: after a restore, so that positions of the tail it lost are told from those that
 * follow. Nothing else may append meanwhile.
 */
export const startEpoch = async (
  log: EventLog,
  reason: 'restored',
  dependencies: EpochDependencies,
): Promise<AppendOutcome> => {
  const [newest] = await log.readStream(logStream, 'end', 'backwards', 1);
  const head = log.head();
  const located = log.locate(head);
  if (located.where !== 'known') throw new LogDamaged('the log does not know its own head');
  // The store goes on counting as before, and so do places.
  const base = located.place - head.n;
  const begins = { reason, parent: { log: head.log, cut: head.n }, base, pairs: [] };
  return log.append(logStream, [epochEvent(begins, dependencies)], newest?.revision ?? -1);
};
