import type { RecordedEvent } from '../schemas/events.ts';
import { kindOf, type StreamKind } from '../schemas/streams.ts';
import type { Epochs } from './epochs.ts';
import { LogDamaged, type Tail, type TailBatch, type TailOptions } from './event-log.ts';
import type { StoredEvent } from './log-store.ts';
import { isDecoded, type RecentEvent, type RecentEvents } from './recent-events.ts';

const mostEvents = 500;
const patienceMs = 1_000;

/** What all tails of a log share. */
export interface TailSource {
  readonly recent: RecentEvents;
  readonly epochs: Epochs;
  /** n of the last event that anybody here knows of; `recent` may have yet to hear of it. */
  readonly head: () => number;
  readonly monotonic: () => number;
  /** Called once after every commit, as long as they are in the set. */
  readonly wakeUps: Set<() => void>;
  readAll(after: number, limit: number): Promise<readonly StoredEvent[]>;
  decode(stored: readonly StoredEvent[]): Promise<RecordedEvent[]>;
  isClosed(): boolean;
}

export class LogTail implements Tail {
  readonly #source: TailSource;
  readonly #kinds: ReadonlySet<StreamKind>;
  readonly #signal: AbortSignal;
  /** The place of the last event looked at. */
  #after: number;
  #pulling = false;

  constructor(source: TailSource, { from, streamKinds, signal }: TailOptions) {
    this.#source = source;
    this.#kinds = new Set(streamKinds);
    this.#signal = signal;
    this.#after = from;
  }

  async pull(): Promise<TailBatch> {
    if (this.#pulling) throw new Error('a tail is pulled by one reader, one pull after the other');
    this.#pulling = true;
    try {
      return await this.#next(this.#source.monotonic() + patienceMs);
    } finally {
      this.#pulling = false;
    }
  }

  pullNow(): TailBatch | undefined {
    const { recent, epochs } = this.#source;
    if (!recent.reachesBackTo(this.#after)) return undefined;
    const events: RecordedEvent[] = [];
    let index = recent.indexAfter(this.#after);
    const end = epochs.endOf(recent.at(index)?.n ?? 0);
    while (events.length < mostEvents) {
      const next = recent.at(index++);
      if (next === undefined || next.n > end) break;
      if (this.#kinds.has(next.kind)) {
        if (!isDecoded(next.event)) break;
        events.push(next.event);
      }
      this.#after = next.n;
    }
    return events.length > 0 ? this.#batch(events) : undefined;
  }

  async #next(deadline: number): Promise<TailBatch> {
    for (;;) {
      this.#signal.throwIfAborted();
      if (this.#source.isClosed()) throw new Error('the log is closed');
      const batch = this.pullNow() ?? (await this.#fromStoreOrLater(deadline));
      if (batch !== undefined) return batch;
      if (this.#source.monotonic() >= deadline) return this.#batch([]);
    }
  }

  async #fromStoreOrLater(deadline: number): Promise<TailBatch | undefined> {
    const { recent } = this.#source;
    if (!recent.reachesBackTo(this.#after)) return this.#fromStore();
    if (this.#after < recent.head) {
      await this.#decodeRecent();
      return undefined;
    }
    return this.#later(deadline);
  }

  async #fromStore(): Promise<TailBatch | undefined> {
    const stored = await this.#source.readAll(this.#after, mostEvents);
    const [first] = stored;
    // Memory has moved past events that the store does not have any more.
    if (first === undefined) throw new LogDamaged(`the log ends at ${this.#after} and once went on`);
    const end = this.#source.epochs.endOf(first.n);
    const page = stored.filter(({ n }) => n <= end);
    const events = await this.#source.decode(page.filter(({ stream }) => this.#kinds.has(kindOf(stream))));
    this.#after = page.at(-1)?.n ?? this.#after;
    return events.length > 0 || this.#after >= this.#source.head() ? this.#batch(events) : undefined;
  }

  /** What another process wrote came as bytes; the first tail that wants it decodes it for all. */
  async #decodeRecent(): Promise<void> {
    const { recent } = this.#source;
    const slots: RecentEvent[] = [];
    const stored: StoredEvent[] = [];
    for (let index = recent.indexAfter(this.#after); stored.length < mostEvents; index++) {
      const slot = recent.at(index);
      if (slot === undefined) break;
      if (isDecoded(slot.event) || !this.#kinds.has(slot.kind)) continue;
      slots.push(slot);
      stored.push(slot.event);
    }
    const events = await this.#source.decode(stored);
    for (const [index, slot] of slots.entries()) slot.event = events[index] ?? slot.event;
  }

  /** Waits for a commit that has something for this tail; undefined at the deadline, or to look again. */
  async #later(deadline: number): Promise<TailBatch | undefined> {
    const { wakeUps, recent, monotonic } = this.#source;
    const { promise, resolve } = Promise.withResolvers<TailBatch | undefined>();
    // Nothing is taken once there is an answer: of two commits in one tick the second is left for the next pull.
    const answer = (batch: TailBatch | undefined): void => {
      wakeUps.delete(wakeUp);
      resolve(batch);
    };
    const wakeUp = (): void => {
      const batch = this.pullNow();
      if (batch !== undefined || this.#after < recent.head || this.#source.isClosed()) answer(batch);
    };
    const giveUp = (): void => answer(undefined);
    const timer = setTimeout(giveUp, Math.max(deadline - monotonic(), 0));
    this.#signal.addEventListener('abort', giveUp);
    wakeUps.add(wakeUp);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#signal.removeEventListener('abort', giveUp);
      wakeUps.delete(wakeUp);
    }
  }

  #batch(events: readonly RecordedEvent[]): TailBatch {
    const { epochs, head } = this.#source;
    const through = epochs.positionOf(this.#after);
    return {
      log: through.log,
      events,
      through,
      throughPlace: this.#after,
      caughtUp: this.#after >= head(),
    };
  }
}
