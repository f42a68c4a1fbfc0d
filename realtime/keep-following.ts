import { setTimeout as wait } from 'node:timers/promises';
import { UnknownCriticalEvent, type Router } from './router.ts';

const shortestPauseMs = 100;
const longestPauseMs = 5_000;

/** Follows again after every fault that may pass: ends when aborted, or at an event that this process does not know. */
export const keepFollowing = async (
  router: Router,
  signal: AbortSignal,
  warn: (details: Readonly<Record<string, unknown>>, message: string) => void,
): Promise<void> => {
  let pauseMs = shortestPauseMs;
  for (;;) {
    const from = router.at.place;
    try {
      await router.follow(signal);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof UnknownCriticalEvent) {
        warn({ err: error }, 'the router stopped: nothing is delivered');
        return;
      }
      if (router.at.place > from) pauseMs = shortestPauseMs;
      warn({ err: error, pauseMs }, 'nothing is delivered until the log is followed again');
    }
    await wait(pauseMs, undefined, { signal }).catch(() => undefined);
    pauseMs = Math.min(pauseMs * 2, longestPauseMs);
  }
};
