import { logStream } from '../schemas/streams.ts';
import { BoundedMap } from './bounded-map.ts';
import { openAppends, usualTimes, type AppendTimes } from './eventstoredb-appends.ts';
import { checkServer, startError } from './eventstoredb-connection.ts';
import type { Fault } from './eventstoredb-errors.ts';
import {
  followEventstoredb,
  type EventstoredbFollower,
  type Handled,
  type HeardEvent,
} from './eventstoredb-follower.ts';
import { isForeign, nOf, type ReadEvent } from './eventstoredb-layout.ts';
import { EventstoredbReader } from './eventstoredb-reader.ts';
import { LogDamaged, LogUnusable } from './event-log.ts';
import type { EncodedEvent, LogStore, StoredEvent } from './log-store.ts';

export interface EventstoredbLogStoreOptions {
  /** `esdb://…`, as the client understands it. */
  readonly url: string;
  /** Before the names of the log's streams, so that a server may hold several logs. Without it the server is the log's alone. */
  readonly prefix?: string;
  readonly warn: (details: Readonly<Record<string, unknown>>, message: string) => void;
  /** Told of each subscription that ended, and why. */
  readonly resubscribed?: (why: Fault | 'deaf') => void;
  readonly times?: AppendTimes;
  readonly watchMs?: number;
}

const usualWatchMs = 5_000;
const pageSize = 500;
/** Of what was sent and has not come back yet, so that nobody decrypts what this process has just written. */
const rememberedSent = 16_384;

/**
 * The log in EventStoreDB. Others may write it too. An append that was answered is on the disk of a majority. Throws
 * `LogAway` while the server does not answer, `LogUnusable` when it never will as it is asked.
 */
export const openEventstoredbLogStore = async (options: EventstoredbLogStoreOptions): Promise<LogStore> => {
  const {
    url,
    prefix = '',
    warn,
    resubscribed = () => undefined,
    times = usualTimes,
    watchMs = usualWatchMs,
  } = options;
  const reader = new EventstoredbReader(url, prefix);
  let last: Handled | undefined;
  try {
    await checkServer(reader.connection);
    last = await lastOf(reader, prefix);
  } catch (thrown) {
    await reader.close();
    throw startError(thrown);
  }

  const sent = new BoundedMap<string, EncodedEvent>(rememberedSent);
  const failed = Promise.withResolvers<Error>();
  let follower: EventstoredbFollower | undefined;
  const appends = openAppends({
    url,
    prefix,
    times,
    sound: () => follower?.sound() ?? Promise.resolve(),
    standing: ({ stream, expectedRevision, events }) =>
      reader.readStream(stream, expectedRevision + 1, 'forwards', events.length),
    sent: {
      remember: (id, event) => sent.set(id, event),
      forget: (id) => sent.delete(id),
      hasHeard: (n) => n <= (follower?.head() ?? 0),
    },
  });

  const close = async (): Promise<void> => {
    await appends.close();
    await Promise.all([reader.close(), follower?.close()]);
  };
  let closed: Promise<void> | undefined;
  return {
    soleWriter: false,
    failed: failed.promise,
    append: (request) => appends.append(request),
    head: () => Math.max(last?.n ?? 0, follower?.head() ?? 0, appends.acknowledged()),
    away: () => follower?.away(),
    onCommitted(listener) {
      if (follower !== undefined) throw new Error('a store has one listener');
      follower = followEventstoredb({
        reader,
        from: last,
        listener: (events) => listener(events.map((heard) => withPlain(heard, sent))),
        ended: resubscribed,
        watchMs,
        warn,
      });
      void follower.failed.then((error) => failed.resolve(error));
    },
    readStream: (...asked) => reader.readStream(...asked),
    readAll: (after, limit) => reader.readAll(after, limit),
    close: () => (closed ??= close()),
  };
};

/** The same bytes have the same id: what this process has sent it need not decrypt. */
const withPlain = ({ id, event }: HeardEvent, sent: BoundedMap<string, EncodedEvent>): StoredEvent => {
  const plain = sent.get(id)?.plain;
  if (plain === undefined) return event;
  sent.delete(id);
  return { ...event, plain };
};

/** The newest event of the log; undefined for a server that holds nothing yet. */
const lastOf = async (reader: EventstoredbReader, prefix: string): Promise<Handled | undefined> => {
  if (!(await isBegun(reader))) {
    const other = prefix === '' ? await firstOfOthers(reader) : undefined;
    if (other === undefined) return undefined;
    // Another process may have begun it in this moment.
    if (!(await isBegun(reader))) {
      const { type, streamId } = other;
      throw new LogUnusable(`it holds what is no log of Parley's: the first event is a ${type} of ${streamId}`);
    }
  }
  for (let from: number | 'end' = 'end'; ;) {
    const { events } = await reader.pageOfAll(from, 'backwards', pageSize);
    const newest = events.find((event) => reader.stored(event) !== undefined);
    if (newest !== undefined) return { n: nOf(newest), id: newest.id };
    const oldest = events.at(-1);
    if (oldest === undefined) throw new LogDamaged(`${logStream} has an event that the log does not have`);
    from = nOf(oldest);
  }
};

/** A log begins with its epoch. */
const isBegun = async (reader: EventstoredbReader): Promise<boolean> =>
  (await reader.readStream(logStream, 0, 'forwards', 1)).length > 0;

/** A server may have events of its own. */
const firstOfOthers = async (reader: EventstoredbReader): Promise<ReadEvent | undefined> => {
  for (let from = 0; ;) {
    const { events } = await reader.pageOfAll(from, 'forwards', pageSize);
    const found = events.find((event) => isForeign(event, '') || reader.stored(event) !== undefined);
    const last = events.at(-1);
    if (found !== undefined || last === undefined || nOf(last) === from) return found;
    from = nOf(last);
  }
};
