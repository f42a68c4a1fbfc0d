import type { RecordedEvent } from '../schemas/events.ts';
import { kindOf, type StreamKind } from '../schemas/streams.ts';
import type { Epochs } from './epochs.ts';
import type { Tail, TailBatch, TailOptions } from './event-log.ts';
import type { StoredEvent } from './log-store.ts';
import { isDecoded, type RecentEvents } from './recent-events.ts';

const mostEvents = 500;
const patienceMs = 1_000;

/** What all tails of a log share. */
export interface TailSource {
  readonly recent: RecentEvents;
  readonly epochs: Epochs;
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
  /** n of the last event looked at. */
  #after: number;
  #pulling = false;

  constructor(source: TailSource, { from, streamKinds, signal }: TailOptions) {
    this.#source = source;
    this.#kinds = new Set(streamKinds);
    this.#signal = signal;
    this.#after = source.epochs.nAt(from);
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
    const events: RecordedEvent[] = [];
    const until = this.#pageEnd();
    while (this.#after < until && events.length < mostEvents) {
      const next = this.#source.recent.at(this.#after + 1);
      if (next === undefined) break;
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
    const limit = Math.min(mostEvents, this.#pageEnd() - this.#after);
    const stored = await this.#source.readAll(this.#after, limit);
    const events = await this.#source.decode(stored.filter(({ stream }) => this.#kinds.has(kindOf(stream))));
    this.#after = stored.at(-1)?.n ?? this.#after;
    return events.length > 0 || this.#after >= this.#source.recent.head ? this.#batch(events) : undefined;
  }

  /** What another process wrote came as bytes; the first tail that wants it decodes it for all. */
  async #decodeRecent(): Promise<void> {
    const { recent } = this.#source;
    const stored: StoredEvent[] = [];
    for (let n = this.#after + 1; n <= this.#pageEnd() && stored.length < mostEvents; n++) {
      const event = recent.at(n)?.event;
      if (event !== undefined && !isDecoded(event)) stored.push(event);
    }
    for (const event of await this.#source.decode(stored)) {
      const slot = recent.at(event.position.n);
      if (slot !== undefined) slot.event = event;
    }
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

  /** n up to which a batch may go: the head, or the end of the log that the next event lies in. */
  #pageEnd(): number {
    return Math.min(this.#source.recent.head, this.#source.epochs.endOf(this.#after + 1));
  }

  #batch(events: readonly RecordedEvent[]): TailBatch {
    const { epochs, recent } = this.#source;
    const through = epochs.positionOf(this.#after);
    return {
      log: through.log,
      events,
      through,
      throughPlace: epochs.placeOf(this.#after),
      caughtUp: this.#after >= recent.head,
    };
  }
}
