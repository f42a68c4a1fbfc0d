import { eventTypes, type NewEvent, type RecordedEvent } from '../schemas/events.ts';
import type { Cursor, LogPosition } from '../schemas/position.ts';
import { logStream, type StreamName } from '../schemas/streams.ts';
import { Appender } from './appender.ts';
import { decodeEvent } from './codec.ts';
import type { DataKeys } from './data-keys.ts';
import type { RandomBytes } from './encryption.ts';
import { alongLine } from './copied-store.ts';
import { keyNamesIn, parseEnvelope } from './envelope.ts';
import { epochEvent, Epochs } from './epochs.ts';
import {
  LogDamaged,
  LogUnusable,
  type AppendOutcome,
  type EventLog,
  type Located,
  type Tail,
  type TailOptions,
} from './event-log.ts';
import type { LogStore, StoredEvent } from './log-store.ts';
import { epochIn, readEpochs } from './read-epochs.ts';
import { RecentEvents, type RecentEventsLimits } from './recent-events.ts';
import { LogTail, type TailSource } from './tail.ts';

export interface EventLogDependencies {
  /** Closed with the log, and when the log does not open. */
  readonly store: LogStore;
  readonly keys: DataKeys;
  readonly clock: { now(): number; monotonic(): number };
  readonly randomBytes: RandomBytes;
  /** How far back tails are answered from memory. */
  readonly recent?: Partial<RecentEventsLimits> | undefined;
}

const recentByDefault: RecentEventsLimits = { events: 16_384, bytes: 32 * 1_048_576 };
const noKeys: ReadonlyMap<string, never> = new Map<string, never>();

const asText = (link: Uint8Array): string | null =>
  link.length === 0 ? null : Buffer.from(link.buffer, link.byteOffset, link.length).toString('base64url');

/** Codec, chain, epochs, recent events and tail over any store. */
class StoredEventLog implements EventLog {
  readonly #store: LogStore;
  readonly #keys: DataKeys;
  readonly #appender: Appender;
  readonly #epochs: Epochs;
  readonly #recent: RecentEvents;
  readonly #tailSource: TailSource;
  /** The place up to which nothing is kept in plain any more. */
  #forgotten = 0;
  #closed = false;

  constructor({ store, keys, clock, randomBytes, recent }: EventLogDependencies, epochs: Epochs) {
    this.#store = store;
    this.#epochs = epochs;
    this.#keys = keys;
    this.#appender = new Appender(store, keys, randomBytes);
    this.#recent = new RecentEvents({ ...recentByDefault, ...recent }, store.head());
    this.#tailSource = {
      recent: this.#recent,
      epochs,
      head: () => store.head(),
      monotonic: () => clock.monotonic(),
      wakeUps: new Set(),
      readAll: (after, limit) => store.readAll(after, limit),
      decode: (stored) => this.#decode(stored),
      isClosed: () => this.#closed,
    };
    store.onCommitted((events) => this.#remember(events));
  }

  get soleWriter(): boolean {
    return this.#store.soleWriter;
  }

  get failed(): Promise<Error> {
    return this.#store.failed;
  }

  away(): string | undefined {
    return this.#store.away();
  }

  async append(stream: StreamName, events: readonly NewEvent[], expectedRevision: number): Promise<AppendOutcome> {
    if (events.length === 0) throw new RangeError('an append holds at least one event');
    if (!Number.isSafeInteger(expectedRevision) || expectedRevision < -1) {
      throw new RangeError(`${expectedRevision} is not a revision to expect`);
    }
    const outcome = await this.#appender.append(stream, events, expectedRevision);
    if (outcome.outcome !== 'appended') return outcome;
    const { revision, n, links } = outcome;
    // The store may tell of it only later.
    if (stream === logStream) await readEpochs(this.#store, this.#epochs);
    return { outcome: 'appended', revision, position: this.#epochs.positionOf(n), links: links.map(asText) };
  }

  async readStream(
    stream: StreamName,
    from: number | 'end',
    direction: 'forwards' | 'backwards',
    limit: number,
  ): Promise<readonly RecordedEvent[]> {
    return this.#decode(await this.#store.readStream(stream, from, direction, limit));
  }

  async #decode(stored: readonly StoredEvent[]): Promise<RecordedEvent[]> {
    const envelopes = stored.map(({ envelope }) => parseEnvelope(envelope));
    const names = new Set(envelopes.flatMap(keyNamesIn));
    const keys = names.size === 0 ? noKeys : await this.#keys.keysNamed(names);
    return stored.flatMap(({ revision, n, link }, index) => {
      const envelope = envelopes[index];
      if (envelope === undefined) return [];
      try {
        const decoded = decodeEvent(envelope, keys);
        return { ...decoded, revision, position: this.#epochs.positionOf(n), link: asText(link) };
      } catch (cause) {
        throw new LogDamaged(cause instanceof Error ? cause.message : String(cause), { cause, n });
      }
    });
  }

  #remember(events: readonly StoredEvent[]): void {
    for (const stored of events) {
      if (stored.stream === logStream) this.#epochs.add(epochIn(stored), stored.n);
      const { plain } = stored;
      const isPlain = plain !== undefined && stored.n > this.#forgotten;
      this.#recent.push(stored, isPlain ? this.#recorded(stored, plain) : stored);
    }
    for (const wakeUp of this.#tailSource.wakeUps) wakeUp();
  }

  #recorded({ stream, revision, n, link }: StoredEvent, plain: NewEvent): RecordedEvent {
    const { eventId, time, causationId, correlationId, event } = plain;
    const { version, critical } = eventTypes[event.type];
    return {
      eventId,
      time,
      causationId,
      correlationId,
      event,
      stream,
      revision,
      position: this.#epochs.positionOf(n),
      type: event.type,
      schemaVersion: version,
      critical,
      link: asText(link),
    };
  }

  head(): LogPosition {
    return this.#epochs.positionOf(this.#store.head());
  }

  locate(position: LogPosition): Located {
    return this.#epochs.locate(position, this.#store.head());
  }

  positionAt(place: number): LogPosition {
    return this.#epochs.positionOf(place);
  }

  locateCursor(cursor: Cursor | null): Located {
    return this.#epochs.locateCursor(cursor, this.#store.head());
  }

  isRecent(place: number): boolean {
    return this.#recent.reachesBackTo(place);
  }

  tail(options: TailOptions): Tail {
    return new LogTail(this.#tailSource, options);
  }

  forgetRecent(): void {
    this.#forgotten = this.#store.head();
    this.#recent.clear();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const wakeUp of this.#tailSource.wakeUps) wakeUp();
    await this.#store.close();
  }
}

const firstEpoch = { reason: 'new', parent: null, base: 0, pairs: [] } satisfies Parameters<typeof epochEvent>[0];

/** Opens the log that a store holds; an empty one gets its first epoch. */
export const openEventLog = async (dependencies: EventLogDependencies): Promise<EventLog> => {
  const { store: given } = dependencies;
  try {
    const epochs = new Epochs();
    const store = await alongLine(given);
    const began = await readEpochs(store, epochs);
    const log = new StoredEventLog({ ...dependencies, store }, epochs);
    if (began) return log;
    if (store.head() > 0) throw new LogUnusable('the log has events but no epoch: it is damaged');
    const first = await log.append(logStream, [epochEvent(firstEpoch, dependencies)], -1);
    // A conflict: another process has begun it in the same moment.
    if (first.outcome === 'appended' || (await readEpochs(store, epochs))) return log;
    throw new LogUnusable(`the log could not begin: ${first.outcome}`);
  } catch (error) {
    await given.close();
    throw error instanceof LogDamaged
      ? new LogUnusable(`the log is damaged: ${error.message}`, { cause: error })
      : error;
  }
};
