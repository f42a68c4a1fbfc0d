import { setTimeout as pause } from 'node:timers/promises';
import { START, type AllStreamSubscription } from '@eventstore/db-client';
import { asError, faultOf, type Fault } from './eventstoredb-errors.ts';
import { nOf, type ReadEvent } from './eventstoredb-layout.ts';
import type { EventstoredbReader } from './eventstoredb-reader.ts';
import { LogAway, LogUnusable } from './event-log.ts';
import type { StoredEvent } from './log-store.ts';

const firstPauseMs = 20;
const longestPauseMs = 1_000;
const secondLookMs = 500;

/** The last event that was handed on: from it the next subscription begins, if the log still has it. */
export interface Handled {
  readonly n: number;
  /** The server's, which the event's bytes make. */
  readonly id: string;
}

/** An event of the log under its id in the server. */
export interface HeardEvent {
  readonly id: string;
  readonly event: StoredEvent;
}

export interface FollowerOptions {
  readonly reader: EventstoredbReader;
  /** Undefined: the log holds nothing yet. */
  readonly from: Handled | undefined;
  /** Called with what came within a turn of the loop. It must not throw. */
  readonly listener: (events: readonly HeardEvent[]) => void;
  /** Called when a subscription has ended, with why. */
  readonly ended: (why: Fault | 'deaf') => void;
  /** How often the subscription is compared with the end of the log. */
  readonly watchMs: number;
  readonly warn: (details: Readonly<Record<string, unknown>>, message: string) => void;
}

export interface EventstoredbFollower {
  /**
   * Resolves once the log was found to be the one that was followed, and is reached; at once while it is. Rejects when it
   * is not any more.
   */
  sound(): Promise<void>;
  away(): string | undefined;
  /** n of the newest event of the log that was handed on. */
  head(): number;
  /** Resolves when the log is another one than before, or holds what it must not: following has ended. */
  readonly failed: Promise<Error>;
  close(): Promise<void>;
}

/**
 * Keeps one subscription to everything, and hands on what is of the log: every event once, in order. The server may end a
 * subscription whenever it likes, and does when a reader is slow: then the next one begins at once from the last event.
 * Before each, the log is asked whether it still has that event: from a position past the end of an older copy a server
 * gives nothing and says nothing.
 */
export const followEventstoredb = (options: FollowerOptions): EventstoredbFollower => {
  const { reader, listener, ended, watchMs, warn } = options;
  const stopping = new AbortController();
  const isStopping = (): boolean => stopping.signal.aborted;
  const failed = Promise.withResolvers<Error>();
  let handled = options.from;
  /** The newest position heard of, the server's own events included. */
  let heard = handled?.n ?? 0;
  let reason: string | undefined = 'not reached yet';
  let sound = Promise.withResolvers<undefined>();

  const found = (): void => {
    if (reason !== undefined) sound.resolve(undefined);
    reason = undefined;
  };
  const lost = (why: string): void => {
    if (reason === undefined) sound = Promise.withResolvers();
    reason = why;
  };

  const isThere = async ({ n, id }: Handled): Promise<boolean> => (await reader.idAt(n)) === id;
  const check = async (): Promise<void> => {
    if (handled === undefined) {
      await reader.end();
      return;
    }
    if (await isThere(handled)) return;
    // A process ends for it, so one word of a server that may just have become the leader is not enough.
    await pause(secondLookMs, undefined, { signal: stopping.signal });
    if (await isThere(handled)) return;
    throw new LogUnusable(
      `the log does not have the event any more that lay at ${handled.n}: an older copy was restored, or it is another log`,
    );
  };

  /** Resolves when it has ended. Never waits for what is done with an event, for a reader that does is cut off. */
  const listen = (subscription: AllStreamSubscription): Promise<Fault | 'deaf'> => {
    const over = Promise.withResolvers<Fault | 'deaf'>();
    let gathered: HeardEvent[] = [];
    const handOn = (): void => {
      const events = gathered;
      gathered = [];
      if (events.length > 0) listener(events);
    };
    const take = (read: ReadEvent): void => {
      const n = nOf(read);
      if (n <= heard) return;
      heard = n;
      const event = reader.stored(read);
      if (event === undefined) return;
      const { id } = read;
      handled = { n, id };
      if (gathered.length === 0) setImmediate(handOn);
      gathered.push({ id, event });
    };
    const onData = ({ event }: { readonly event?: ReadEvent }): void => {
      try {
        if (event !== undefined) take(event);
      } catch (thrown) {
        failed.resolve(asError(thrown));
        over.resolve('strange');
      }
    };
    subscription.on('data', onData);
    subscription.on('error', (error: Error) => {
      if (faultOf(error) !== 'slow') lost(error.message);
      over.resolve(faultOf(error));
    });
    subscription.on('end', () => over.resolve('gone'));
    subscription.on('close', () => over.resolve('gone'));
    const stop = (): void => over.resolve('gone');
    stopping.signal.addEventListener('abort', stop);
    const watch = watchOver(() => over.resolve('deaf'));
    return over.promise.finally(() => {
      clearInterval(watch);
      stopping.signal.removeEventListener('abort', stop);
      subscription.off('data', onData);
      handOn();
    });
  };

  /** A subscription that says nothing while the log goes on, through a half-open connection, is deaf. */
  const watchOver = (deaf: () => void): NodeJS.Timeout => {
    let due = 0;
    const look = (): void => {
      if (heard < due) {
        deaf();
        return;
      }
      reader.end().then(
        (end) => (due = end),
        // Who is away is no proof of anything; the subscription hears of it by itself.
        () => (due = 0),
      );
    };
    return setInterval(look, watchMs).unref();
  };

  const once = async (): Promise<Fault | 'deaf'> => {
    await check();
    found();
    const subscription = reader.connection.client.subscribeToAll({
      fromPosition: handled === undefined ? START : { commit: BigInt(handled.n), prepare: BigInt(handled.n) },
      requiresLeader: true,
    });
    const why = await listen(subscription);
    // Only what is not ended yet costs the connection.
    if (why === 'deaf') await subscription.unsubscribe();
    return why;
  };

  const run = async (): Promise<void> => {
    let pauseMs = 0;
    while (!isStopping()) {
      const [before, beganAt] = [heard, performance.now()];
      try {
        const why = await once();
        if (isStopping()) return;
        ended(why);
      } catch (thrown) {
        if (isStopping()) return;
        if (thrown instanceof LogUnusable) {
          failed.resolve(thrown);
          return;
        }
        const error = asError(thrown);
        if (!(thrown instanceof LogAway)) warn({ err: error }, 'the event log cannot be followed; it is tried again');
        lost(error.message);
      }
      // One that gave something is begun again at once; what ends again and again gives nothing sooner for being asked.
      const lasted = heard > before || performance.now() - beganAt > longestPauseMs;
      pauseMs = lasted ? 0 : Math.min(Math.max(pauseMs * 2, firstPauseMs), longestPauseMs);
      if (pauseMs > 0) await pause(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };

  const running = run();
  void failed.promise.then((error) => {
    stopping.abort();
    lost(error.message);
    sound.reject(error);
    // Perhaps nobody waits for it.
    sound.promise.catch(() => undefined);
  });
  return {
    sound: () => (reason === undefined ? Promise.resolve() : sound.promise),
    away: () => reason,
    head: () => handled?.n ?? 0,
    failed: failed.promise,
    async close() {
      stopping.abort();
      await running;
    },
  };
};
