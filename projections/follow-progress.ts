import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '../command-side/clock.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { Progress } from './progress.ts';
import type { AppliedPosition, ParkedStream } from './read-model.ts';

/** What a follower says of itself, and who waits for it. */
export interface FollowProgress {
  readonly progress: Progress;
  /** `time` is that of the newest event applied, if there was one. */
  reached(applied: AppliedPosition | undefined, time: number | undefined, newlyParked: readonly ParkedStream[]): void;
  parkedNow(parked: readonly ParkedStream[]): void;
  failing(why: string): void;
  /** Waits; cut short, and then false, as soon as somebody waits for a place or `poke` is called. */
  calm(ms: number): Promise<boolean>;
  poke(): void;
  /** Nobody is served any more. */
  end(): void;
}

/** A timer takes no more. */
const longestTimerMs = 2 ** 31 - 1;

interface Waiter {
  readonly place: number;
  readonly answer: (reached: boolean) => void;
}

export const progressOf = (eventLog: EventLog, clock: Clock): FollowProgress => {
  const waiters = new Set<Waiter>();
  let applied: AppliedPosition | undefined;
  let appliedTime: number | undefined;
  let parked: readonly ParkedStream[] = [];
  let everParked = 0;
  let failing: string | undefined;
  let ended = false;
  let caughtUpAt = clock.monotonic();
  let hurry = Promise.withResolvers<boolean>();

  const behind = (): number => {
    const head = eventLog.locate(eventLog.head());
    return head.where === 'known' ? Math.max(head.place - (applied?.place ?? 0), 0) : 0;
  };
  const poke = (): void => {
    hurry.resolve(false);
    hurry = Promise.withResolvers();
  };

  const untilDeadline = async (waiter: Waiter, deadline: number): Promise<void> => {
    for (let left = deadline - clock.monotonic(); left > 0; left = deadline - clock.monotonic()) {
      await pause(Math.ceil(Math.min(left, longestTimerMs)), undefined, { ref: false });
      if (!waiters.has(waiter)) return;
    }
    waiters.delete(waiter);
    waiter.answer(false);
  };

  return {
    progress: {
      applied: () => applied,
      waitFor(place, deadline) {
        if ((applied?.place ?? -1) >= place) return Promise.resolve(true);
        if (ended || clock.monotonic() >= deadline) return Promise.resolve(false);
        return new Promise((resolve) => {
          const waiter: Waiter = { place, answer: resolve };
          waiters.add(waiter);
          poke();
          void untilDeadline(waiter, deadline);
        });
      },
      status() {
        const places = behind();
        // Both are upper bounds: the next event is no older than the last, and came after the last catching up.
        const sinceApplied = appliedTime === undefined ? Infinity : Math.max(clock.now() - appliedTime, 0);
        const behindMs = places === 0 ? 0 : Math.min(sinceApplied, clock.monotonic() - caughtUpAt);
        return { behind: places, behindMs, parked, everParked, failing };
      },
    },
    reached(now, time, newlyParked) {
      applied = now;
      appliedTime = time ?? appliedTime;
      parked = [...parked, ...newlyParked];
      everParked += newlyParked.length;
      failing = undefined;
      if (behind() === 0) caughtUpAt = clock.monotonic();
      for (const waiter of waiters) {
        if ((now?.place ?? -1) < waiter.place) continue;
        waiters.delete(waiter);
        waiter.answer(true);
      }
    },
    parkedNow(now) {
      parked = now;
    },
    failing(why) {
      failing = why;
    },
    async calm(ms) {
      if (waiters.size > 0) return false;
      const timer = new AbortController();
      const over = pause(ms, true, { signal: timer.signal }).catch(() => false);
      const calm = await Promise.race([over, hurry.promise]);
      timer.abort();
      return calm;
    },
    poke,
    end() {
      ended = true;
      for (const { answer } of waiters) answer(false);
      waiters.clear();
    },
  };
};
