import { isChained, type StreamName } from '../schemas/streams.ts';
import { checksumOf, firstLink, linkOf } from './chain.ts';
import { LogDamaged } from './event-log.ts';
import type { StoredEvent } from './log-store.ts';

/** What every adapter checks before it gives out what a store holds. */
export const checkEvent = ({ envelope, revision, link, checksum, copiedFrom, n }: StoredEvent): void => {
  if (checksumOf(envelope, revision, link, copiedFrom) !== checksum)
    throw new LogDamaged('its checksum is wrong', { n });
};

/** A page of the whole log where n counts: without a hole after `after`. */
export const checkLogPage = (after: number, events: readonly StoredEvent[]): void => {
  let n = after;
  for (const event of events) {
    n++;
    if (event.n !== n) throw new LogDamaged(`missing; the next is ${event.n}`, { n });
    checkEvent(event);
  }
};

const sameBytes = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0;

export interface StreamPage {
  readonly stream: StreamName;
  /** The revision that the page begins with, if it is there. */
  readonly first: number;
  readonly direction: 'forwards' | 'backwards';
  /** Whether it ended because it holds as much as it may; else it must reach to the end of the stream. */
  readonly isFull: boolean;
  /** The stream's last revision, taken before the page was read; −1 where the store does not tell. */
  readonly last: number;
}

/** A page of one stream: of its events all that belong there, each linked to the one before it. */
export const checkStreamPage = (page: StreamPage, events: readonly StoredEvent[]): void => {
  const { stream, first, direction, isFull, last } = page;
  const forwards = direction === 'forwards';
  let revision = first;
  for (const event of events) {
    const { n } = event;
    if (event.stream !== stream) throw new LogDamaged(`it belongs to ${event.stream}, not to ${stream}`, { n });
    if (event.revision !== revision) {
      throw new LogDamaged(`${stream} has no event ${revision}; the next is ${event.revision}`, { n });
    }
    checkEvent(event);
    revision += forwards ? 1 : -1;
  }
  const isShort = !isFull && (forwards ? revision <= last : revision >= 0);
  if (isShort) throw new LogDamaged(`${stream} has no event ${revision}, though it reaches to ${last}`);
  if (isChained(stream)) checkLinks(forwards ? events : events.toReversed());
};

const checkLinks = (events: readonly StoredEvent[]): void => {
  let previous = events[0]?.revision === 0 ? firstLink : undefined;
  for (const { envelope, link, n } of events) {
    if (previous !== undefined && !sameBytes(linkOf(previous, envelope), link)) {
      throw new LogDamaged('its link does not continue the chain', { n });
    }
    previous = link;
  }
};
