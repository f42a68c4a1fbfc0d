import { setTimeout as pause } from 'node:timers/promises';
import { BACKWARDS, END, FORWARDS, START, type EventStoreDBClient, type StreamingRead } from '@eventstore/db-client';
import type { StreamName } from '../schemas/streams.ts';
import { connect, type Connection } from './eventstoredb-connection.ts';
import { asError, faultOf, isForGood, type Fault } from './eventstoredb-errors.ts';
import { nOf, stored, type ReadEvent } from './eventstoredb-layout.ts';
import { LogAway, LogDamaged } from './event-log.ts';
import type { StoredEvent } from './log-store.ts';
import { checkStreamPage } from './stored-events.ts';

/** A read that has begun may be silent for so long. */
const silentMs = 5_000;
/** For so long a server that does not answer is asked again. */
const patienceMs = 5_000;
const firstPauseMs = 20;
const longestPauseMs = 500;
const mostBytes = 4 * 1_048_576;
const fewest = 16;
const mostAtOnce = 1_000;
const rememberedPages = 4_096;

type Direction = 'forwards' | 'backwards';

/** What may be read from: the end, the beginning (0) or the position of an event. */
type From = number | 'end';

const position = (n: number): { readonly commit: bigint; readonly prepare: bigint } => ({
  commit: BigInt(n),
  prepare: BigInt(n),
});

interface Read {
  events: ReadEvent[];
  /** Looked at by the server, also what is none of the log and what did not fit. */
  count: number;
}

/** Reads by the leader's word, with a connection of its own; asks again while the server is away for a moment. */
export class EventstoredbReader {
  readonly #connection: Connection;
  readonly #prefix: string;
  readonly #closing = new AbortController();
  /** About how large events are; a page asks for as many as probably fit. */
  #usualBytes = 1_000;
  /** Positions where an event begins: the last ones of pages that were read. */
  readonly #pageEnds: number[] = [];

  constructor(url: string, prefix: string) {
    this.#connection = connect(url);
    this.#prefix = prefix;
  }

  /** The event as this log has it; undefined for what is none of it. */
  stored(read: ReadEvent): StoredEvent | undefined {
    return stored(read, this.#prefix);
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** Up to `limit` events of the log after `n`: one more is asked for, since a page begins with the event at `n`. */
  async readAll(n: number, limit: number): Promise<StoredEvent[]> {
    if (limit <= 0) return [];
    const events: StoredEvent[] = [];
    let bytes = 0;
    for (let from = n; ;) {
      const most = this.#howMany(limit + 1);
      const page = await this.#pageFrom(from, n, most);
      for (const read of page.events) {
        if (nOf(read) <= n) continue;
        const event = this.stored(read);
        if (event === undefined) continue;
        events.push(event);
        bytes += event.envelope.length;
        if (bytes > mostBytes || events.length === limit) break;
      }
      this.#learn(events.length, bytes);
      const last = page.events.at(-1);
      if (last !== undefined) this.#remember(nOf(last));
      // A page of what is none of the log says nothing of where the log ends.
      const isEnd = last === undefined || (page.count < most && page.events.length === page.count);
      if (events.length > 0 || isEnd) return events;
      from = nOf(last);
    }
  }

  /**
   * Begins at the event after which to look, or at the one right behind it. Other numbers name no event: from the nearest
   * place before them that is known, or from the beginning.
   */
  async #pageFrom(from: number, after: number, most: number): Promise<Read> {
    const near = [from, from + 1];
    for (const place of near) {
      try {
        return await this.#all(place, FORWARDS, most);
      } catch (thrown) {
        if (faultOf(asError(thrown)) !== 'bad_position') throw thrown;
      }
    }
    let start = this.#pageEnds.reduce((nearest, end) => (end <= after ? Math.max(nearest, end) : nearest), 0);
    for (;;) {
      const page = await this.#all(start, FORWARDS, mostAtOnce);
      const last = page.events.at(-1);
      if (last === undefined || nOf(last) > after || page.count < mostAtOnce) return page;
      start = nOf(last);
    }
  }

  /** What stands at a position that was an event's: another id, or nothing, is another log. */
  async idAt(n: number): Promise<string | undefined> {
    try {
      const [found] = (await this.#all(n, FORWARDS, 1)).events;
      return found !== undefined && nOf(found) === n ? found.id : undefined;
    } catch (thrown) {
      if (faultOf(asError(thrown)) === 'bad_position') return undefined;
      throw thrown;
    }
  }

  /** The position of the newest event of all, the server's own included; 0: there is none. */
  async end(): Promise<number> {
    const [newest] = (await this.#all('end', BACKWARDS, 1)).events;
    return newest === undefined ? 0 : nOf(newest);
  }

  /** Events of all kinds, backwards or forwards, without a look at whose they are. */
  pageOfAll(from: From, direction: Direction, most: number): Promise<Read> {
    return this.#all(from, direction, most);
  }

  async readStream(stream: StreamName, from: From, direction: Direction, limit: number): Promise<StoredEvent[]> {
    if (limit <= 0) return [];
    const isLast = from === 'end' && direction === 'forwards';
    const most = isLast ? 1 : this.#howMany(limit);
    const page = await this.#asked((client) =>
      client.readStream(`${this.#prefix}${stream}`, {
        direction: isLast ? BACKWARDS : direction,
        fromRevision: from === 'end' ? END : BigInt(from),
        maxCount: most,
        requiresLeader: true,
      }),
    );
    const events: StoredEvent[] = [];
    let bytes = 0;
    for (const read of page.events) {
      const event = this.stored(read);
      if (event === undefined) throw new LogDamaged(`${stream} holds what is none of the log`, { n: nOf(read) });
      events.push(event);
      bytes += event.envelope.length;
      if (bytes > mostBytes) break;
    }
    this.#learn(events.length, bytes);
    const newest = events[0]?.revision ?? -1;
    const first = from === 'end' || (direction === 'backwards' && from > newest) ? newest : from;
    const isFull = page.count === most || events.length < page.count;
    checkStreamPage({ stream, first, direction, isFull, last: -1 }, events);
    return events;
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the log is closed'));
    await this.#connection.close();
  }

  #howMany(limit: number): number {
    return Math.min(limit, mostAtOnce, Math.max(Math.floor(mostBytes / this.#usualBytes), fewest));
  }

  #remember(pageEnd: number): void {
    if (this.#pageEnds.length >= rememberedPages) this.#pageEnds.splice(0, rememberedPages / 2);
    this.#pageEnds.push(pageEnd);
  }

  #learn(events: number, bytes: number): void {
    if (events > 0) this.#usualBytes = Math.max((this.#usualBytes + bytes / events) / 2, 100);
  }

  #all(from: From, direction: Direction, most: number): Promise<Read> {
    const fromPosition = from === 'end' ? END : from === 0 ? START : position(from);
    return this.#asked((client) => client.readAll({ direction, fromPosition, maxCount: most, requiresLeader: true }));
  }

  async #asked(ask: (client: EventStoreDBClient) => StreamingRead<ReadResolved>): Promise<Read> {
    const deadline = performance.now() + patienceMs;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      this.#closing.signal.throwIfAborted();
      try {
        return await collect(ask(this.#connection.client), this.#closing.signal);
      } catch (thrown) {
        const error = asError(thrown);
        const fault = thrown instanceof LogAway ? 'gone' : faultOf(error);
        if (fault === 'stream_missing') return { events: [], count: 0 };
        if (fault === 'stream_deleted') throw new LogDamaged('a stream of the log was deleted', { cause: error });
        if (this.#closing.signal.aborted || !passes(fault)) throw error;
        if (performance.now() + pauseMs >= deadline) throw new LogAway(error.message, { cause: error });
        await pause(pauseMs);
      }
    }
  }
}

/** What a moment may mend. */
const passes = (fault: Fault): boolean => !isForGood(fault) && fault !== 'bad_position' && fault !== 'strange';

interface ReadResolved {
  readonly event?: ReadEvent;
}

/**
 * All of a read, which ends by itself: to cut it short would cost the connection. Of what is too much for a page nothing is
 * kept, but it is counted.
 */
const collect = (reading: StreamingRead<ReadResolved>, closing: AbortSignal): Promise<Read> => {
  const { promise, resolve, reject } = Promise.withResolvers<Read>();
  const read: Read = { events: [], count: 0 };
  let bytes = 0;
  const timer = setTimeout(() => {
    reject(new LogAway(`no answer within ${silentMs} ms`));
    void reading.cancel();
  }, silentMs);
  const closed = (): void => reject(asError(closing.reason));
  closing.addEventListener('abort', closed);
  reading.on('data', ({ event }: ReadResolved) => {
    timer.refresh();
    read.count++;
    if (event === undefined || bytes > mostBytes) return;
    bytes += event.data instanceof Uint8Array ? event.data.length : 0;
    read.events.push(event);
  });
  reading.on('error', reject);
  reading.on('end', () => resolve(read));
  return promise.finally(() => {
    clearTimeout(timer);
    closing.removeEventListener('abort', closed);
  });
};
