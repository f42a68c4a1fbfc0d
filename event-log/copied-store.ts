import type { LogId, LogPosition } from '../schemas/position.ts';
import { BoundedMap } from './bounded-map.ts';
import { LogDamaged, LogUnusable } from './event-log.ts';
import type { LogStore, StoredEvent } from './log-store.ts';
import { epochIn, readLogStream } from './read-epochs.ts';

const pageSize = 1_000;
const mostBytes = 4 * 1_048_576;
/** Parts of the copy that are kept in memory, for who reads them page after page. */
const rememberedParts = 8;

/** Up to `place` on the line, everything lies up to `n` in the store; everything after it lies behind. */
interface Pair {
  readonly place: number;
  readonly n: number;
}

/** What a finished copy says of itself. */
interface Copy {
  /** `base` of each log of the line. */
  readonly bases: ReadonlyMap<LogId, number>;
  /** Of what this log has appended itself, in its store's numbers, and what makes places of them. */
  readonly own: { readonly from: number; readonly base: number };
  readonly pairs: readonly Pair[];
}

const copyIn = (events: readonly StoredEvent[]): Copy => {
  const bases = new Map<LogId, number>();
  let copy: Copy | undefined;
  for (const stored of events) {
    const { log, base, pairs } = epochIn(stored);
    bases.set(log, base);
    if (stored.copiedFrom !== undefined) continue;
    copy ??= { bases, own: { from: stored.n, base }, pairs: pairs.map(([place, n]) => ({ place, n })) };
  }
  if (copy === undefined) {
    throw new LogUnusable('the log is a copy that is not finished: the same `parley copy-log` goes on with it');
  }
  return copy;
};

/**
 * The store of a log that is a copy, or a copy's copy, with places of the line for its own numbers: a copied event stays
 * where it was, what was appended since counts on behind it. Within a part of the copy between two pairs the events lie in
 * any order, so a part is read as a whole and given out in order. Any other store is given back as it is. Throws
 * `LogUnusable` for a copy that is not finished.
 */
export const alongLine = async (store: LogStore): Promise<LogStore> => {
  const events = await readLogStream(store);
  return events[0]?.copiedFrom === undefined ? store : placed(store, copyIn(events));
};

const placed = (store: LogStore, { bases, own, pairs }: Copy): LogStore => {
  const parts = new BoundedMap<number, Promise<readonly StoredEvent[]>>(rememberedParts);
  const copiedThrough = pairs.at(-1)?.place ?? 0;

  const placeOf = ({ log, n }: LogPosition): number => {
    const base = bases.get(log);
    if (base === undefined) throw new LogDamaged(`an event was copied from ${log}, which is none of the line`);
    return base + n;
  };
  const inPlace = (event: StoredEvent): StoredEvent => ({
    ...event,
    n: event.copiedFrom === undefined ? own.base + event.n : placeOf(event.copiedFrom),
  });

  const readPart = async (index: number): Promise<readonly StoredEvent[]> => {
    const end = pairs[index]?.n ?? 0;
    const events: StoredEvent[] = [];
    for (let after = pairs[index - 1]?.n ?? 0; after < end;) {
      const page = await store.readAll(after, pageSize);
      if (page.length === 0) throw new LogDamaged(`the log ends before ${end}`);
      events.push(...page.filter(({ n }) => n <= end));
      after = page.at(-1)?.n ?? end;
    }
    return events.map(inPlace).sort((one, other) => one.n - other.n);
  };
  const part = (index: number): Promise<readonly StoredEvent[]> => {
    const known = parts.get(index);
    if (known !== undefined) return known;
    const reading = readPart(index);
    parts.set(index, reading);
    // The next who asks reads again.
    reading.catch(() => parts.delete(index));
    return reading;
  };

  const copiedAfter = async (place: number, limit: number): Promise<readonly StoredEvent[]> => {
    const events = await part(firstAfter(pairs, place));
    const page: StoredEvent[] = [];
    let bytes = 0;
    for (const event of events) {
      if (event.n <= place) continue;
      if (page.length === limit || bytes > mostBytes) break;
      page.push(event);
      bytes += event.envelope.length;
    }
    return page;
  };

  return {
    ...store,
    head: () => own.base + store.head(),
    onCommitted: (listener) => store.onCommitted((events) => listener(events.map(inPlace))),
    async append(request) {
      const outcome = await store.append(request);
      if (outcome.outcome !== 'appended') return outcome;
      if (outcome.n >= own.from) return { ...outcome, n: own.base + outcome.n };
      // It repeats what was appended before the copy was made.
      const [stands] = await store.readStream(request.stream, outcome.revision, 'forwards', 1);
      if (stands === undefined) throw new LogDamaged(`${request.stream} has no event ${outcome.revision}`);
      return { ...outcome, n: inPlace(stands).n };
    },
    async readStream(...asked) {
      return (await store.readStream(...asked)).map(inPlace);
    },
    async readAll(after, limit) {
      if (after < copiedThrough) return copiedAfter(after, limit);
      const events = await store.readAll(Math.max(after - own.base, own.from - 1), limit);
      return events.map(inPlace);
    },
  };
};

/** The index of the first pair whose place lies after `place`; there is one. */
const firstAfter = (pairs: readonly Pair[], place: number): number => {
  let [low, high] = [0, pairs.length - 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((pairs[middle]?.place ?? 0) > place) high = middle;
    else low = middle + 1;
  }
  return low;
};
