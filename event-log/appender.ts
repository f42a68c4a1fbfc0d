import { keySubjectOf, type NewEvent } from '../schemas/events.ts';
import { isChained, kindOf, type StreamKind, type StreamName } from '../schemas/streams.ts';
import { BoundedMap } from './bounded-map.ts';
import { checksumOf, firstLink, linkOf, noLink } from './chain.ts';
import { encodeEvent, personalBytes, type Personal } from './codec.ts';
import type { DataKeys } from './data-keys.ts';
import { pooledNonces, type Nonces, type RandomBytes } from './encryption.ts';
import type { AppendPriority, AppendRequest, EncodedEvent, LogStore, StoreOutcome } from './log-store.ts';

const rememberedTails = 65_536;

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

/** The appends to one stream that wait for each other. */
interface Turns {
  waiting: number;
  last: Promise<StoreOutcome>;
}

const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)));

/** Makes bytes, links and checksums of events and hands them to the store. */
export class Appender {
  readonly #store: LogStore;
  readonly #keys: DataKeys;
  readonly #nonces: Nonces;
  /**
   * Of batches that were not written, or perhaps not: given again they keep their ciphertext, so that a repeat after an
   * unknown fate is the same bytes.
   */
  readonly #envelopes = new WeakMap<NewEvent, { readonly stream: StreamName; readonly envelope: Uint8Array }>();
  readonly #chainTails = new BoundedMap<StreamName, ChainTail>(rememberedTails);
  /** One append at a time to each stream: the link of the next needs that of the one before. */
  readonly #turns = new Map<StreamName, Turns>();

  constructor(store: LogStore, keys: DataKeys, randomBytes: RandomBytes) {
    this.#store = store;
    this.#keys = keys;
    this.#nonces = pooledNonces(randomBytes);
  }

  append(stream: StreamName, events: readonly NewEvent[], expectedRevision: number): Promise<StoreOutcome> {
    const turns = this.#turns.get(stream);
    if (turns !== undefined) {
      turns.waiting++;
      turns.last = turns.last.then(() => this.#inTurn(stream, events, expectedRevision));
      return turns.last;
    }
    const last = this.#inTurn(stream, events, expectedRevision);
    this.#turns.set(stream, { waiting: 1, last });
    return last;
  }

  async #inTurn(stream: StreamName, events: readonly NewEvent[], expectedRevision: number): Promise<StoreOutcome> {
    try {
      const outcome = await this.#encodeAndAppend(stream, events, expectedRevision);
      if (outcome.outcome === 'appended') this.#remember(stream, outcome.revision, outcome.links.at(-1) ?? noLink);
      else if (outcome.outcome !== 'refused') this.#chainTails.delete(stream);
      return outcome;
    } catch (thrown) {
      // Of keys, bytes or the link before: what the store throws is an unknown fate already.
      return { outcome: 'refused', why: 'unprepared', cause: asError(thrown) };
    } finally {
      const turns = this.#turns.get(stream);
      if (turns !== undefined && --turns.waiting === 0) this.#turns.delete(stream);
    }
  }

  async #encodeAndAppend(
    stream: StreamName,
    events: readonly NewEvent[],
    expectedRevision: number,
  ): Promise<StoreOutcome> {
    const envelopes: Uint8Array[] = [];
    for (const event of events) {
      const before = this.#envelopes.get(event);
      if (before?.stream === stream) {
        envelopes.push(before.envelope);
        continue;
      }
      const clear = personalBytes(event.event);
      const subject = clear && keySubjectOf(stream, event.event);
      const key = subject && (this.#keys.keyInMemory(subject) ?? (await this.#keys.keyOf(subject)));
      if (clear !== undefined && key === undefined) return { outcome: 'refused', why: 'key_missing' };
      const personal: Personal | undefined = clear && key && { key, clear };
      envelopes.push(encodeEvent(stream, event, personal, this.#nonces));
    }
    const before = this.#rememberedLink(stream, expectedRevision) ?? (await this.#storedLink(stream, expectedRevision));
    if ('outcome' in before) return before;
    const request: AppendRequest = {
      stream,
      expectedRevision,
      priority: priorities[kindOf(stream)],
      events: this.#linked(events, envelopes, expectedRevision, before.link),
    };
    let outcome: StoreOutcome;
    try {
      outcome = await this.#store.append(request);
    } catch (thrown) {
      outcome = { outcome: 'unknown', cause: asError(thrown) };
    }
    if (outcome.outcome !== 'appended') {
      for (const [index, event] of events.entries()) {
        this.#envelopes.set(event, { stream, envelope: envelopes[index] ?? noLink });
      }
    }
    return outcome;
  }

  #linked(
    events: readonly NewEvent[],
    envelopes: readonly Uint8Array[],
    expectedRevision: number,
    before: Uint8Array,
  ): EncodedEvent[] {
    let link = before;
    let revision = expectedRevision;
    return events.map((plain, index) => {
      const envelope = envelopes[index] ?? noLink;
      if (link.length > 0) link = linkOf(link, envelope);
      return { envelope, link, checksum: checksumOf(envelope, ++revision, link, undefined), plain };
    });
  }

  #remember(stream: StreamName, revision: number, link: Uint8Array): void {
    if (link.length === 0) return;
    const remembered = this.#chainTails.get(stream);
    if (remembered === undefined || remembered.revision < revision) this.#chainTails.set(stream, { revision, link });
  }

  /** The link that an append continues: exactly that one, for what is stored already may be repeated by its bytes. */
  #rememberedLink(stream: StreamName, expectedRevision: number): { readonly link: Uint8Array } | undefined {
    if (!isChained(stream)) return { link: noLink };
    if (expectedRevision === -1) return { link: firstLink };
    const tail = this.#chainTails.get(stream);
    return tail?.revision === expectedRevision ? tail : undefined;
  }

  async #storedLink(stream: StreamName, revision: number): Promise<{ readonly link: Uint8Array } | StoreOutcome> {
    const [newest] = await this.#store.readStream(stream, revision, 'backwards', 1);
    return newest?.revision === revision ? newest : { outcome: 'conflict', actualRevision: newest?.revision ?? -1 };
  }
}
