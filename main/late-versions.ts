import { setTimeout as pause } from 'node:timers/promises';
import { jittered } from '../command-side/clock.ts';
import type { ProgressStatus } from '../projections/progress.ts';
import { reject } from '../schemas/errors.ts';
import type { Versions, VersionsDeps, VersionsStatus } from './read-model-versions.ts';
import { Refused } from './refused.ts';

export interface LateVersionsDeps extends VersionsDeps {
  readonly name: 'inbox' | 'search';
  /** What no waiting mends ends the start, if it is seen by then. */
  readonly hopeless: (error: unknown) => Error | undefined;
}

/** Longer, and the start goes on without. */
const startMs = 3_000;
const firstPauseMs = 250;
const longestPauseMs = 5_000;

/**
 * Versions on a server that may be away when the process starts: until they are open, what is asked of them is refused, and
 * nothing else waits.
 */
export const lateVersions = async <Asked>(
  open: (stack: AsyncDisposableStack) => Promise<Versions<Asked>>,
  deps: LateVersionsDeps,
  stack: AsyncDisposableStack,
): Promise<Versions<Asked>> => {
  const { name, eventLog, clock, warn } = deps;
  const stopping = new AbortController();
  const isStopping = (): boolean => stopping.signal.aborted;
  const own = new AsyncDisposableStack();
  const startedAt = clock.monotonic();
  const arrived = Promise.withResolvers<undefined>();
  let opened: Versions<Asked> | undefined;
  let why = 'it is not open yet';

  const attempt = async (): Promise<unknown> => {
    await using opening = new AsyncDisposableStack();
    try {
      opened = await open(opening);
      own.use(opening.move());
      arrived.resolve(undefined);
      return undefined;
    } catch (error) {
      const before = why;
      why = error instanceof Error ? error.message : String(error);
      if (why !== before) warn({ reason: why }, `the ${name} cannot be opened; it is tried again`);
      return error;
    }
  };
  const goOn = async (first: Promise<unknown>): Promise<void> => {
    let error = await first;
    for (let pauseMs = firstPauseMs; error !== undefined && !isStopping();) {
      await pause(jittered(pauseMs, deps.randomBytes), undefined, { signal: stopping.signal, ref: false }).catch(
        () => undefined,
      );
      if (isStopping()) return;
      error = await attempt();
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    }
  };

  const first = attempt();
  const seen = await Promise.race([first, pause(startMs, undefined, { ref: false })]);
  const hopeless = seen === undefined ? undefined : deps.hopeless(seen);
  if (hopeless !== undefined) throw hopeless;
  const running = goOn(first);
  stack.defer(async () => {
    stopping.abort();
    await running;
    await own.disposeAsync();
  });

  const now = (): Versions<Asked> => {
    if (opened === undefined) throw new Refused(reject('unavailable', `the ${name} is not open: ${why}`));
    return opened;
  };
  const progressStatus = (): ProgressStatus => {
    if (opened !== undefined) return opened.progress.status();
    const head = eventLog.locate(eventLog.head());
    const behind = head.where === 'known' ? head.place : 0;
    return { behind, behindMs: clock.monotonic() - startedAt, parked: [], everParked: 0, failing: why };
  };
  const isOpen = async (deadline: number): Promise<boolean> => {
    const left = Math.max(deadline - clock.monotonic(), 0);
    if (opened === undefined) await Promise.race([arrived.promise, pause(left, undefined, { ref: false })]);
    return opened !== undefined;
  };
  return {
    asked: () => now().asked(),
    progress: {
      applied: () => opened?.progress.applied(),
      waitFor: async (place, deadline) => (await isOpen(deadline)) && now().progress.waitFor(place, deadline),
      status: progressStatus,
    },
    status: (): VersionsStatus => opened?.status() ?? { live: { version: 'none', ...progressStatus() }, other: null },
    rebuild: async () => now().rebuild(),
    compareWithOther: async () => now().compareWithOther(),
    compareWithLog: async () => now().compareWithLog(),
    switchTo: async (which) => now().switchTo(which),
    drop: async () => now().drop(),
    erased: async (place, deadline) => (await isOpen(deadline)) && now().erased(place, deadline),
    retry: async (stream) => now().retry(stream),
  };
};
