import { jittered, type Clock, type RandomBytes } from '../command-side/clock.ts';
import type { EventLog, TailBatch } from '../event-log/event-log.ts';
import type { RecordedEvent } from '../schemas/events.ts';
import type { StreamKind, StreamName } from '../schemas/streams.ts';
import { gather } from './gather.ts';
import type { Progress } from './progress.ts';
import { newestEvent, type AppliedPosition, type FollowedBatch, type ReadModelWriter } from './read-model.ts';
import { proofOf } from './position-proof.ts';
import { progressOf } from './follow-progress.ts';

export interface FollowDeps {
  readonly eventLog: EventLog;
  readonly writer: ReadModelWriter;
  readonly streamKinds: readonly StreamKind[];
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly warn: (details: Readonly<Record<string, unknown>>, message: string) => void;
}

export interface Follower extends Progress {
  /** Resolves when it has ended of its own: its version of the read model is not of this log and must be built anew. */
  readonly failed: Promise<Error>;
  /** Folds a parked stream anew, between two batches. Rejects when it is not parked, and leaves it as it is. */
  retry(stream: StreamName): Promise<void>;
  /** Ends after the batch under way; the store stays open. */
  close(): Promise<void>;
}

/** How long events wait for others to share their transaction, unless somebody waits for them. */
const gatherMs = 100;
const firstPauseMs = 100;
const longestPauseMs = 5_000;
/** A position beyond the log's end may only be one that this log's process has not heard of yet. */
const aheadMs = 60_000;
const refoldPage = 1_000;

/**
 * Keeps one read model up with the log: pull, apply, one batch at a time, so that a slow store slows reading and costs no
 * memory. After any error it goes on from the position in the store up to which the rows are safe.
 */
export const follow = (deps: FollowDeps): Follower => {
  const { eventLog, writer, streamKinds, clock, warn } = deps;
  const stopping = new AbortController();
  const isStopping = (): boolean => stopping.signal.aborted;
  const failed = Promise.withResolvers<Error>();
  const progress = progressOf(eventLog, clock);
  const retries: { readonly stream: StreamName; readonly done: PromiseWithResolvers<undefined> }[] = [];

  /** Resolves to true once more of the moment has passed, to false when it is over or somebody waits. */
  const calmUntil = (until: number): (() => Promise<boolean>) => {
    return async () => {
      const left = until - clock.monotonic();
      return left > 0 && !isStopping() && (await progress.calm(left));
    };
  };

  const apply = async (batch: TailBatch, before: AppliedPosition | undefined): Promise<AppliedPosition> => {
    const { log, n } = batch.through;
    const last = batch.events.at(-1);
    const place = batch.throughPlace;
    const through = { log, n, place, event: newestEvent(batch.events, before, { n, place }) };
    const { parked } = await writer.apply({ events: batch.events, through });
    for (const stream of parked) warn({ ...stream }, 'a stream was parked: an event of it cannot be projected');
    progress.reached(through, last?.time, parked);
    return through;
  };

  /** The events of a stream up to where the model stands, as batches that lie in one log each. */
  async function* pagesOf(stream: StreamName, upTo: number): AsyncGenerator<FollowedBatch> {
    for (let from = 0; ;) {
      const page = await eventLog.readStream(stream, from, 'forwards', refoldPage);
      const due = page.flatMap((event) => {
        const located = eventLog.locate(event.position);
        return located.where === 'known' && located.place <= upTo ? [{ event, place: located.place }] : [];
      });
      yield* batchesOf(due);
      if (due.length < page.length || page.length === 0) return;
      from += page.length;
    }
  }

  const refold = async (stream: StreamName, applied: AppliedPosition | undefined): Promise<void> => {
    if (applied !== undefined) await writer.refold(stream, pagesOf(stream, applied.place));
    progress.parkedNow(await writer.parked());
  };

  const serveRetries = async (applied: AppliedPosition | undefined): Promise<void> => {
    for (let retry = retries.shift(); retry !== undefined; retry = retries.shift()) {
      const { stream, done } = retry;
      try {
        if (!(await writer.parked()).some((one) => one.stream === stream)) {
          done.reject(new Error(`${stream} is not parked`));
          continue;
        }
        await refold(stream, applied);
        done.resolve(undefined);
      } catch (error) {
        done.reject(error);
        throw error;
      }
    }
  };

  const followFrom = async (stored: AppliedPosition | undefined): Promise<never> => {
    let applied = stored;
    let held: TailBatch | undefined;
    const tail = eventLog.tail({ from: stored?.place ?? 0, streamKinds, signal: stopping.signal });
    for (;;) {
      await serveRetries(applied);
      const first = held ?? (await tail.pull());
      const gathered = await gather(tail, first, calmUntil(clock.monotonic() + gatherMs));
      held = gathered.held;
      const { batch } = gathered;
      if (batch.throughPlace > (applied?.place ?? -1)) applied = await apply(batch, applied);
    }
  };

  /** Once a start: an event may have become known with a new version of this program. */
  const retryParked = async (applied: AppliedPosition | undefined): Promise<void> => {
    const parked = await writer.parked();
    progress.parkedNow(parked);
    for (const { stream } of parked) await refold(stream, applied);
  };

  const run = async (): Promise<void> => {
    let pauseMs = firstPauseMs;
    let aheadSince: number | undefined;
    let started = false;
    while (!isStopping()) {
      const beganAt = clock.monotonic();
      try {
        const stored = await writer.position();
        const proof = await proofOf(eventLog, stored?.applied, stopping.signal);
        if (proof === 'holds') {
          aheadSince = undefined;
          // Rows after it may be lost, so nobody is told that they are there before they are written again.
          progress.reached(stored?.safe, undefined, []);
          if (!started) await retryParked(stored?.applied);
          started = true;
          await followFrom(stored?.safe);
        }
        aheadSince ??= clock.monotonic();
        if (proof === 'differs' || clock.monotonic() - aheadSince >= aheadMs) {
          failed.resolve(new Error('the read model was built from another log, or from a tail that was lost'));
          return;
        }
        progress.failing('the log does not reach the position of the read model');
      } catch (error) {
        if (isStopping()) return;
        progress.failing(error instanceof Error ? error.message : String(error));
        warn({ err: error }, 'a read model cannot be brought up to date; it is tried again');
      }
      if (clock.monotonic() - beganAt > longestPauseMs) pauseMs = firstPauseMs;
      await progress.calm(jittered(pauseMs, deps.randomBytes));
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    }
  };

  let ended = false;
  const running = run().finally(() => {
    ended = true;
    progress.end();
    for (const { done } of retries.splice(0)) done.reject(new Error('the follower has ended'));
  });
  return {
    ...progress.progress,
    failed: failed.promise,
    retry(stream) {
      const done = Promise.withResolvers<undefined>();
      if (ended) done.reject(new Error('the follower has ended'));
      else retries.push({ stream, done });
      progress.poke();
      return done.promise;
    },
    async close() {
      stopping.abort();
      progress.poke();
      await running;
    },
  };
};

/** Cut where the log changes, for a batch says one log's positions. */
function* batchesOf(
  events: readonly { readonly event: RecordedEvent; readonly place: number }[],
): Generator<FollowedBatch> {
  let begin = 0;
  for (let index = 1; index <= events.length; index++) {
    const [last, next] = [events[index - 1], events[index]];
    if (last === undefined || next?.event.position.log === last.event.position.log) continue;
    const { eventId, position } = last.event;
    yield {
      events: events.slice(begin, index).map(({ event }) => event),
      through: { ...position, place: last.place, event: { n: position.n, eventId } },
    };
    begin = index;
  }
}
