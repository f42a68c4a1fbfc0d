import { setTimeout as pause } from 'node:timers/promises';
import type { EventLog } from '../event-log/event-log.ts';
import type { UserId } from '../schemas/ids.ts';
import { subjectOf } from '../schemas/streams.ts';
import type { AccountsStore } from './accounts-store.ts';
import type { Clock } from './clock.ts';
import type { Warn } from './warn.ts';

export interface FollowErasuresDeps {
  readonly eventLog: EventLog;
  readonly accounts: AccountsStore;
  readonly clock: Clock;
  readonly warn: Warn;
  /** After keys were destroyed. */
  readonly destroyed: () => void;
}

export interface ErasureFollower {
  /** Resolves to true once the key of everybody erased up to `place` is destroyed; to false at the deadline. */
  waitFor(place: number, deadline: number): Promise<boolean>;
  close(): Promise<void>;
}

const firstPauseMs = 100;
const longestPauseMs = 5_000;
const lookAgainMs = 20;
/** So that a start need not look through everything since the last erasure. */
const storeEveryPlaces = 10_000;

/**
 * Destroys the key of every user whose erasure stands in the log, whenever the process ended in between: the position is
 * stored after the keys are gone, and destroying a key again changes nothing.
 */
export const followErasures = ({ eventLog, accounts, clock, warn, destroyed }: FollowErasuresDeps): ErasureFollower => {
  const stopping = new AbortController();
  const { signal } = stopping;
  let reached = -1;

  const start = async (): Promise<number> => {
    const stored = await accounts.erasedThrough();
    const located = stored === null ? undefined : eventLog.locate(stored);
    // A position of a tail that was lost: looking through the whole log again destroys nothing that should stay.
    return located?.where === 'known' ? located.place : 0;
  };

  const followFrom = async (from: number): Promise<never> => {
    const tail = eventLog.tail({ from, streamKinds: ['user'], signal });
    let storedPlace = from;
    let unknownSeen = false;
    for (;;) {
      const { events, through, throughPlace } = await tail.pull();
      const erased = events.filter(({ event }) => event?.type === 'user-erased');
      for (const { stream } of erased) await accounts.destroyKey(`user:${subjectOf(stream) as UserId}`);
      if (erased.length > 0) {
        eventLog.forgetRecent();
        destroyed();
      }
      // A later version of this program has to see what this one does not know.
      unknownSeen ||= events.some(({ event, critical }) => event === undefined && critical);
      if (!unknownSeen && (erased.length > 0 || throughPlace - storedPlace >= storeEveryPlaces)) {
        await accounts.storeErasedThrough(through);
        storedPlace = throughPlace;
      }
      reached = throughPlace;
    }
  };

  const run = async (): Promise<void> => {
    let pauseMs = firstPauseMs;
    for (;;) {
      const before = reached;
      try {
        await followFrom(await start());
      } catch (error) {
        if (signal.aborted) return;
        warn({ err: error }, 'the keys of erased users cannot be destroyed; it is tried again');
      }
      pauseMs = reached > before ? firstPauseMs : Math.min(pauseMs * 2, longestPauseMs);
      if (!(await pause(pauseMs, true, { signal }).catch(() => false))) return;
    }
  };

  const running = run();
  return {
    async waitFor(place: number, deadline: number) {
      while (reached < place) {
        if (signal.aborted || clock.monotonic() >= deadline) return false;
        await pause(lookAgainMs);
      }
      return true;
    },
    async close() {
      stopping.abort();
      await running;
    },
  };
};
