import { mostPairs } from '../schemas/log-events.ts';
import { LogDamaged, LogUnusable } from './event-log.ts';
import type { StoredEvent } from './log-store.ts';
import type { EventToCopy } from './source-order.ts';

const keyOf = ({ stream, revision }: StoredEvent): string => `${revision} ${stream}`;

const isCopyOf = (copy: StoredEvent, original: EventToCopy): boolean =>
  copy.checksum === original.checksum &&
  copy.copiedFrom?.log === original.copiedFrom.log &&
  copy.copiedFrom.n === original.copiedFrom.n &&
  Buffer.compare(copy.link, original.link) === 0 &&
  Buffer.compare(copy.envelope, original.envelope) === 0;

/**
 * Source and copy side by side, each in its own order: what the source has and the copy has not yet, and the other way round
 * where an earlier call went further. Where neither has anything the other lacks, a pair may stand.
 */
export class CopyComparison {
  readonly #missing = new Map<string, EventToCopy>();
  readonly #early = new Map<string, StoredEvent>();
  #pairs: [place: number, n: number][] = [];

  expect(event: EventToCopy): void {
    const key = keyOf(event);
    const early = this.#early.get(key);
    this.#early.delete(key);
    if (early === undefined) this.#missing.set(key, event);
    else compare(early, event);
  }

  found(event: StoredEvent): void {
    const key = keyOf(event);
    const expected = this.#missing.get(key);
    this.#missing.delete(key);
    if (expected === undefined) this.#early.set(key, event);
    else compare(event, expected);
  }

  get lacks(): number {
    return this.#missing.size;
  }

  /** What the copy still lacks, in the order of the source. */
  missing(): readonly EventToCopy[] {
    return [...this.#missing.values()];
  }

  /** Everything up to `place` was expected, everything up to `n` found. */
  note(place: number, n: number): void {
    if (this.#missing.size > 0 || this.#early.size > 0) return;
    this.#pairs.push([place, n]);
    if (this.#pairs.length <= mostPairs) return;
    // The last one stays: it says where the copied part ends.
    const last = this.#pairs.length - 1;
    this.#pairs = this.#pairs.filter((_, index) => (last - index) % 2 === 0);
  }

  /** The source has ended; the copy must hold nothing else. */
  end(): void {
    const [early] = this.#early.values();
    if (early !== undefined)
      throw new LogUnusable(`the target holds what the source does not: an event of ${early.stream}`);
  }

  pairs(): [place: number, n: number][] {
    return this.#pairs;
  }
}

const compare = (copy: StoredEvent, original: EventToCopy): void => {
  if (!isCopyOf(copy, original)) {
    throw new LogDamaged(`event ${original.revision} of ${original.stream} is another one in the target`, {
      n: copy.n,
    });
  }
};
