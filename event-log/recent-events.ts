import type { RecordedEvent } from '../schemas/events.ts';
import { kindOf, type StreamKind } from '../schemas/streams.ts';
import type { StoredEvent } from './log-store.ts';

export interface RecentEvent {
  readonly n: number;
  readonly kind: StreamKind;
  readonly bytes: number;
  /** As bytes until somebody decodes it, where another process wrote it. */
  event: RecordedEvent | StoredEvent;
}

export const isDecoded = (event: RecordedEvent | StoredEvent): event is RecordedEvent => 'position' in event;

export interface RecentEventsLimits {
  readonly events: number;
  readonly bytes: number;
}

/** The newest events of the log, in order and without a hole, as many as fit: what tails read instead of the store. */
export class RecentEvents {
  readonly #limits: RecentEventsLimits;
  readonly #slots: (RecentEvent | undefined)[];
  /** Events are counted as they come, for their n may rise by more than one: which is the oldest here, and the next. */
  #first = 0;
  #next = 0;
  /** n of the last event that is not in here any more. */
  #before: number;
  #head: number;
  #bytes = 0;

  /** `head` is n of the last event that is not in here. */
  constructor(limits: RecentEventsLimits, head: number) {
    this.#limits = limits;
    this.#slots = Array.from({ length: limits.events }, () => undefined);
    this.#before = head;
    this.#head = head;
  }

  /** n of the newest event. */
  get head(): number {
    return this.#head;
  }

  /** Whether every event after `n` is in here, up to the newest. */
  reachesBackTo(n: number): boolean {
    return n >= this.#before;
  }

  /** The index of the oldest event after `n`, for `at`; the ones behind it follow without a hole. */
  indexAfter(n: number): number {
    if (n >= this.#head) return this.#next;
    let [low, high] = [this.#first, this.#next];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((this.at(middle)?.n ?? n) > n) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  at(index: number): RecentEvent | undefined {
    return index >= this.#first && index < this.#next ? this.#slots[index % this.#limits.events] : undefined;
  }

  push({ n, stream, envelope }: StoredEvent, event: RecordedEvent | StoredEvent): void {
    while (this.#next - this.#first >= this.#limits.events) this.#drop();
    this.#slots[this.#next % this.#limits.events] = { n, kind: kindOf(stream), bytes: envelope.length, event };
    this.#next++;
    this.#head = n;
    this.#bytes += envelope.length;
    while (this.#bytes > this.#limits.bytes) this.#drop();
  }

  clear(): void {
    while (this.#first < this.#next) this.#drop();
  }

  #drop(): void {
    const slot = this.#first % this.#limits.events;
    const dropped = this.#slots[slot];
    if (dropped !== undefined) {
      this.#bytes -= dropped.bytes;
      this.#before = dropped.n;
    }
    this.#slots[slot] = undefined;
    this.#first++;
  }
}
