import { isChained, type StreamName } from '../schemas/streams.ts';
import { checksumOf, firstLink, linkOf } from './chain.ts';
import { LogDamaged } from './event-log.ts';
import type { StoredEvent } from './log-store.ts';

/** What every adapter checks before it gives out what a store holds. */
const checkEvent = ({ envelope, revision, link, checksum, n }: StoredEvent): void => {
  if (checksumOf(envelope, revision, link) !== checksum) throw new LogDamaged('its checksum is wrong', { n });
};

/** A page of the whole log: without a hole after `after`. */
export const checkLogPage = (after: number, events: readonly StoredEvent[]): void => {
  let n = after;
  for (const event of events) {
    n++;
    if (event.n !== n) throw new LogDamaged(`missing; the next is ${event.n}`, { n });
    checkEvent(event);
  }
};

const sameBytes = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0;

/** A page of one stream: the events of that stream, from `from` on, without a hole, each linked to the one before it. */
export const checkStreamPage = (
  stream: StreamName,
  from: number | 'end',
  direction: 'forwards' | 'backwards',
  events: readonly StoredEvent[],
): void => {
  const step = direction === 'forwards' ? 1 : -1;
  const first = events[0]?.revision ?? 0;
  let revision = from === 'end' || (direction === 'backwards' && first < from) ? first : from;
  for (const event of events) {
    if (event.stream !== stream)
      throw new LogDamaged(`it belongs to ${event.stream}, not to ${stream}`, { n: event.n });
    if (event.revision !== revision) {
      throw new LogDamaged(`${stream} has no event ${revision}; the next is ${event.revision}`, { n: event.n });
    }
    checkEvent(event);
    revision += step;
  }
  if (isChained(stream)) checkLinks(direction === 'forwards' ? events : events.toReversed());
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
