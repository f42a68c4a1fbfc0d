import { setTimeout as pause } from 'node:timers/promises';
import { jittered } from '../command-side/clock.ts';
import { progressOf } from '../projections/follow-progress.ts';
import type { Progress } from '../projections/progress.ts';
import type { VersionReads } from '../projections/version-store.ts';
import { reject } from '../schemas/errors.ts';
import type { VersionsDeps } from './read-model-versions.ts';
import { Refused } from './refused.ts';

export interface WatchVersionsDeps extends VersionsDeps {
  readonly name: 'inbox' | 'search';
}

export interface WatchedVersions<Asked> {
  /** The end of the live version; throws while there is none. */
  asked(): Asked;
  readonly progress: Progress;
}

/** How often it is looked how far the version is, and which one it is. */
const calmMs = 250;
/** While somebody waits for it to be further. */
const hurriedMs = 20;
const liveEveryMs = 1_000;
const longestPauseMs = 5_000;
const notFound = 'it is not found yet';

/**
 * The live version of a read model that another process writes. Until it is found, and while its store is away, what is
 * asked of it is refused, and nothing else waits.
 */
export const watchVersions = <Asked extends { close(): Promise<void> }>(
  reads: VersionReads<Asked>,
  { name, eventLog, clock, randomBytes, warn }: WatchVersionsDeps,
  stack: AsyncDisposableStack,
): WatchedVersions<Asked> => {
  const stopping = new AbortController();
  const isStopping = (): boolean => stopping.signal.aborted;
  const followed = progressOf(eventLog, clock);
  let live: { readonly version: string; readonly asked: Asked } | undefined;
  let lookedAt = -Infinity;
  let why = notFound;

  const findLive = async (): Promise<void> => {
    if (clock.monotonic() - lookedAt < liveEveryMs) return;
    const version = await reads.live();
    lookedAt = clock.monotonic();
    if (version === undefined) throw new Error(`no process has made the ${name} yet`);
    if (version === live?.version) return;
    const before = live;
    live = { version, asked: await reads.openAsked(version) };
    await before?.asked.close();
  };
  const look = async (): Promise<void> => {
    await findLive();
    if (live === undefined) return;
    const { applied, parked } = await reads.stateOf(live.version);
    followed.parkedNow(parked);
    followed.reached(applied, undefined, []);
  };

  const run = async (): Promise<void> => {
    let pauseMs = calmMs;
    while (!isStopping()) {
      try {
        await look();
        pauseMs = calmMs;
        why = notFound;
        if (!(await followed.calm(calmMs)) && !isStopping()) await pause(hurriedMs);
      } catch (error) {
        lookedAt = -Infinity;
        const before = why;
        why = error instanceof Error ? error.message : String(error);
        followed.failing(why);
        if (why !== before) warn({ reason: why }, `how far the ${name} is cannot be read; it is tried again`);
        await pause(jittered(pauseMs, randomBytes), undefined, { signal: stopping.signal }).catch(() => undefined);
        pauseMs = Math.min(pauseMs * 2, longestPauseMs);
      }
    }
  };
  const running = run().finally(() => followed.end());
  stack.defer(async () => {
    stopping.abort();
    followed.poke();
    await running;
    await live?.asked.close();
  });

  return {
    asked() {
      if (live === undefined) throw new Refused(reject('unavailable', `the ${name} cannot be read: ${why}`));
      return live.asked;
    },
    progress: followed.progress,
  };
};
