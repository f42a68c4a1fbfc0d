import { eventTypes, keySubjectOf, type NewEvent, type RecordedEvent } from '../schemas/events.ts';
import type { Cursor, LogPosition } from '../schemas/position.ts';
import { isChained, kindOf, logStream, type StreamKind, type StreamName } from '../schemas/streams.ts';
import { BoundedMap } from './bounded-map.ts';
import { checksumOf, firstLink, linkOf, noLink } from './chain.ts';
import { decodeEvent, encodeEvent, personalBytes, type Personal } from './codec.ts';
import type { DataKeys } from './data-keys.ts';
import { pooledNonces, type Nonces, type RandomBytes } from './encryption.ts';
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
import type { AppendPriority, EncodedEvent, LogStore, StoredEvent } from './log-store.ts';
import { RecentEvents, type RecentEventsLimits } from './recent-events.ts';
import { LogTail, type TailSource } from './tail.ts';

export interface EventLogDependencies {
  /** Closed with the log, and when the log does not open. */
  readonly store: LogStore;
  readonly keys: DataKeys;
  readonly clock: { now(): number; monotonic(): number };
  readonly randomBytes: RandomBytes;
  /** How far back tails are answered from memory. */
  readonly recent?: RecentEventsLimits;
}

const recentByDefault: RecentEventsLimits = { events: 16_384, bytes: 32 * 1_048_576 };
const rememberedTails = 65_536;
const noKeys: ReadonlyMap<string, never> = new Map<string, never>();

const priorities: Readonly<Record<StreamKind, AppendPriority>> = {
  conversation: 0,
  user: 0,
  reservation: 0,
  parley: 0,
  audit: 0,
  receipts: 1,
  presence: 2,
};

interface ChainTail {
  readonly revision: number;
  readonly link: Uint8Array;
}

const asText = (link: Uint8Array): string | null =>
  link.length === 0 ? null : Buffer.from(link.buffer, link.byteOffset, link.length).toString('base64url');

/** Codec, chain, epochs, recent events and tail over any store. */
class StoredEventLog implements EventLog {
  readonly #store: LogStore;
  readonly #keys: DataKeys;
  readonly #nonces: Nonces;
  readonly #epochs = new Epochs();
  readonly #recent: RecentEvents;
  readonly #tailSource: TailSource;
  /** A batch that is given again keeps its ciphertext, so that a repeat after an unknown fate is the same bytes. */
  readonly #envelopes = new WeakMap<NewEvent, { readonly stream: StreamName; readonly envelope: Buffer }>();
  readonly #chainTails = new BoundedMap<StreamName, ChainTail>(rememberedTails);
  /** The append under way to each stream: the next one waits for it, for its link needs the one before. */
  readonly #turns = new Map<StreamName, Promise<undefined>>();
  #closed = false;

  constructor({ store, keys, clock, randomBytes, recent = recentByDefault }: EventLogDependencies) {
    this.#store = store;
    this.#keys = keys;
    this.#nonces = pooledNonces(randomBytes);
    this.#recent = new RecentEvents(recent, store.head());
    this.#tailSource = {
      recent: this.#recent,
      epochs: this.#epochs,
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

  async readEpochs(): Promise<boolean> {
    const pageSize = 1_000;
    for (let from = 0; ; from += pageSize) {
      const stored = await this.#store.readStream(logStream, from, 'forwards', pageSize);
      for (const event of stored) this.#addEpoch(event);
      if (stored.length < pageSize) return !this.#epochs.isEmpty;
    }
  }

  #addEpoch({ envelope, n }: StoredEvent): void {
    const { event } = decodeEvent(parseEnvelope(envelope), noKeys);
    if (event?.type !== 'epoch-started') throw new LogDamaged(`an event of ${logStream} that is not known`, { n });
    this.#epochs.add(event, n);
  }

  async append(stream: StreamName, events: readonly NewEvent[], expectedRevision: number): Promise<AppendOutcome> {
    if (events.length === 0) throw new RangeError('an append holds at least one event');
    const before = this.#turns.get(stream);
    const turn = Promise.withResolvers<undefined>();
    this.#turns.set(stream, turn.promise);
    try {
      if (before !== undefined) await before;
      return await this.#appendInTurn(stream, events, expectedRevision);
    } catch (thrown) {
      return { outcome: 'unknown', cause: thrown instanceof Error ? thrown : new Error(String(thrown)) };
    } finally {
      if (this.#turns.get(stream) === turn.promise) this.#turns.delete(stream);
      turn.resolve(undefined);
    }
  }

  async #appendInTurn(
    stream: StreamName,
    events: readonly NewEvent[],
    expectedRevision: number,
  ): Promise<AppendOutcome> {
    const envelopes: Buffer[] = [];
    for (const event of events) {
      const envelope = this.#encodedBefore(stream, event) ?? (await this.#encode(stream, event));
      if (envelope === undefined) return { outcome: 'refused', why: 'key_missing' };
      envelopes.push(envelope);
    }
    let link = noLink;
    if (isChained(stream)) {
      const before =
        this.#rememberedLink(stream, expectedRevision) ?? (await this.#storedLink(stream, expectedRevision));
      if ('outcome' in before) return before;
      link = before.link;
    }
    const encoded = events.map((plain, index): EncodedEvent => {
      const envelope = envelopes[index] ?? noLink;
      if (link !== noLink) link = linkOf(link, envelope);
      return { envelope, link, checksum: checksumOf(envelope, expectedRevision + 1 + index, link), plain };
    });
    const outcome = await this.#store.append({
      stream,
      expectedRevision,
      priority: priorities[kindOf(stream)],
      events: encoded,
    });
    return this.#settled(stream, outcome);
  }

  #settled(stream: StreamName, outcome: Awaited<ReturnType<LogStore['append']>>): AppendOutcome {
    if (outcome.outcome !== 'appended') {
      if (outcome.outcome !== 'refused') this.#chainTails.delete(stream);
      return outcome;
    }
    const { revision, n, links } = outcome;
    const link = links.at(-1) ?? noLink;
    const remembered = this.#chainTails.get(stream);
    if (link.length > 0 && (remembered === undefined || remembered.revision < revision)) {
      this.#chainTails.set(stream, { revision, link });
    }
    return { outcome: 'appended', revision, position: this.#epochs.positionOf(n), links: links.map(asText) };
  }

  #encodedBefore(stream: StreamName, event: NewEvent): Buffer | undefined {
    const encoded = this.#envelopes.get(event);
    return encoded?.stream === stream ? encoded.envelope : undefined;
  }

  /** Undefined if the subject of the personal fields has no key. */
  async #encode(stream: StreamName, event: NewEvent): Promise<Buffer | undefined> {
    const clear = personalBytes(event.event);
    const subject = clear === undefined ? undefined : keySubjectOf(stream, event.event);
    let personal: Personal | undefined;
    if (clear !== undefined && subject !== undefined) {
      const key = this.#keys.keyInMemory(subject) ?? (await this.#keys.keyOf(subject));
      if (key === undefined) return undefined;
      personal = { key, clear };
    }
    const envelope = encodeEvent(stream, event, personal, this.#nonces);
    this.#envelopes.set(event, { stream, envelope });
    return envelope;
  }

  /**
   * The link that an append continues. Where the stream has gone on past it, any will do: revisions never go back, so
   * the store can only answer that the append conflicts or repeats what stands there.
   */
  #rememberedLink(stream: StreamName, expectedRevision: number): { readonly link: Uint8Array } | undefined {
    if (expectedRevision === -1) return { link: firstLink };
    const tail = this.#chainTails.get(stream);
    return tail !== undefined && tail.revision >= expectedRevision ? tail : undefined;
  }

  async #storedLink(stream: StreamName, revision: number): Promise<{ readonly link: Uint8Array } | AppendOutcome> {
    const [newest] = await this.#store.readStream(stream, revision, 'backwards', 1);
    return newest?.revision === revision ? newest : { outcome: 'conflict', actualRevision: newest?.revision ?? -1 };
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
      if (stored.stream === logStream) this.#addEpoch(stored);
      this.#recent.push(stored, stored.plain === undefined ? stored : this.#recorded(stored, stored.plain));
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
    return this.#epochs.positionOf(this.#recent.head);
  }

  locate(position: LogPosition): Located {
    return this.#epochs.locate(position, this.#recent.head);
  }

  locateCursor(cursor: Cursor | null): Located {
    return this.#epochs.locateCursor(cursor, this.#recent.head);
  }

  tail(options: TailOptions): Tail {
    return new LogTail(this.#tailSource, options);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const wakeUp of this.#tailSource.wakeUps) wakeUp();
    await this.#store.close();
  }
}

/** Opens the log that a store holds; an empty one gets its first epoch. */
export const openEventLog = async (dependencies: EventLogDependencies): Promise<EventLog> => {
  const { store } = dependencies;
  try {
    const log = new StoredEventLog(dependencies);
    if (await log.readEpochs()) return log;
    if (store.head() > 0) throw new LogUnusable('the log has events but no epoch: it is damaged');
    const first = await log.append(logStream, [epochEvent('new', null, dependencies)], -1);
    if (first.outcome !== 'appended') throw new LogUnusable(`the log could not begin: ${first.outcome}`);
    return log;
  } catch (error) {
    await store.close();
    throw error instanceof LogDamaged
      ? new LogUnusable(`the log is damaged: ${error.message}`, { cause: error })
      : error;
  }
};
