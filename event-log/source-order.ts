import type { LogPosition } from '../schemas/position.ts';
import { isChained, type StreamName } from '../schemas/streams.ts';
import { checksumOf, firstLink, linkOf } from './chain.ts';
import type { Epochs } from './epochs.ts';
import { LogDamaged } from './event-log.ts';
import type { LogStore, StoredEvent } from './log-store.ts';

/** An event as it will stand in the copy; `n` is its place on the line, the checksum covers what it is copied from. */
export interface EventToCopy extends StoredEvent {
  readonly copiedFrom: LogPosition;
}

interface StreamSoFar {
  readonly revision: number;
  readonly link: Uint8Array;
}

/**
 * Reads a whole log from its beginning and checks it meanwhile: that revisions are dense and links continue their chains. It
 * remembers one entry a stream. Throws `LogDamaged`.
 */
export class SourceOrder {
  readonly #source: LogStore;
  readonly #epochs: Epochs;
  readonly #streams = new Map<StreamName, StreamSoFar>();

  /** `source` counts in places, as `epochs` does. */
  constructor(source: LogStore, epochs: Epochs) {
    this.#source = source;
    this.#epochs = epochs;
  }

  /** Streams met so far. */
  get streams(): number {
    return this.#streams.size;
  }

  /** The next events after a place; where the window ends depends on the events alone, not on how they are read. */
  async next(after: number, most: { readonly events: number; readonly bytes: number }): Promise<EventToCopy[]> {
    const window: EventToCopy[] = [];
    let bytes = 0;
    let place = after;
    while (window.length < most.events && bytes < most.bytes) {
      const page = await this.#source.readAll(place, most.events - window.length);
      if (page.length === 0) return window;
      for (const event of page) {
        if (bytes >= most.bytes) break;
        this.#check(event);
        window.push(this.#toCopy(event));
        bytes += event.envelope.length;
        place = event.n;
      }
    }
    return window;
  }

  #check({ stream, revision, envelope, link, n }: StoredEvent): void {
    const before = this.#streams.get(stream);
    const expected = (before?.revision ?? -1) + 1;
    if (revision !== expected)
      throw new LogDamaged(`its revision in ${stream} is ${revision} instead of ${expected}`, { n });
    if (isChained(stream) && Buffer.compare(linkOf(before?.link ?? firstLink, envelope), link) !== 0) {
      throw new LogDamaged('its link does not continue the chain', { n });
    }
    this.#streams.set(stream, { revision, link });
  }

  /** What was copied before keeps where it stood first. */
  #toCopy({ stream, revision, n, envelope, link, copiedFrom: earlier }: StoredEvent): EventToCopy {
    const copiedFrom = earlier ?? this.#epochs.positionOf(n);
    return {
      stream,
      revision,
      n,
      envelope,
      link,
      copiedFrom,
      checksum: checksumOf(envelope, revision, link, copiedFrom),
    };
  }
}
