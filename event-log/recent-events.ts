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
  #first: number;
  #next: number;
  #bytes = 0;

  /** `head` is n of the last event that is not in here. */
  constructor(limits: RecentEventsLimits, head: number) {
    this.#limits = limits;
    this.#slots = Array.from({ length: limits.events }, () => undefined);
    this.#first = head + 1;
    this.#next = head + 1;
  }

  /** n of the newest event. */
  get head(): number {
    return this.#next - 1;
  }

  /** Whether every event after `n` is in here. */
  reachesBackTo(n: number): boolean {
    return n + 1 >= this.#first;
  }

  at(n: number): RecentEvent | undefined {
    return n >= this.#first && n < this.#next ? this.#slots[n % this.#limits.events] : undefined;
  }

  push({ n, stream, envelope }: StoredEvent, event: RecordedEvent | StoredEvent): void {
    while (this.#next - this.#first >= this.#limits.events) this.#drop();
    this.#slots[n % this.#limits.events] = { n, kind: kindOf(stream), bytes: envelope.length, event };
    this.#next = n + 1;
    this.#bytes += envelope.length;
    while (this.#bytes > this.#limits.bytes) this.#drop();
  }

  clear(): void {
    while (this.#first < this.#next) this.#drop();
  }

  #drop(): void {
    const slot = this.#first % this.#limits.events;
    this.#bytes -= this.#slots[slot]?.bytes ?? 0;
    this.#slots[slot] = undefined;
    this.#first++;
  }
}
