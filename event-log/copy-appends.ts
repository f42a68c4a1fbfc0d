import { setTimeout as pause } from 'node:timers/promises';
import { LogAway, LogUnusable } from './event-log.ts';
import type { AppendRequest, LogStore, StoreOutcome } from './log-store.ts';
import type { EventToCopy } from './source-order.ts';

/** One append: below what any server takes at once. */
const batchOf = { events: 500, bytes: 512 * 1_024 } as const;
/** For so long a target that does not answer is asked again. */
const patienceMs = 60_000;
const pauseMs = 250;

export interface CopyAppends {
  /** Resolves when it stands in the target, or conflicts with what stands there. */
  append(request: Omit<AppendRequest, 'priority'>): Promise<void>;
  /** The same of many events; those of one stream are consecutive and in order. */
  appendAll(events: readonly EventToCopy[]): Promise<void>;
}

const whyOf = (refused: Extract<StoreOutcome, { outcome: 'refused' }>): string =>
  refused.why === 'unprepared' ? refused.cause.message : refused.why.replace('_', ' ');

function* batchesOf(events: readonly EventToCopy[]): Generator<readonly EventToCopy[]> {
  let batch: EventToCopy[] = [];
  let bytes = 0;
  for (const event of events) {
    const isFull = batch.length === batchOf.events || bytes + event.envelope.length > batchOf.bytes;
    if (isFull && batch.length > 0) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(event);
    bytes += event.envelope.length;
  }
  if (batch.length > 0) yield batch;
}

export const copyAppends = (target: LogStore, clock: { monotonic(): number }): CopyAppends => {
  const append: CopyAppends['append'] = async (request) => {
    const deadline = clock.monotonic() + patienceMs;
    for (;;) {
      const outcome = await target.append({ ...request, priority: 0 });
      if (outcome.outcome === 'appended' || outcome.outcome === 'conflict') return;
      if (outcome.outcome === 'refused' && !(outcome.why === 'unprepared' && outcome.cause instanceof LogAway)) {
        throw new LogUnusable(`the target refuses an event of ${request.stream}: ${whyOf(outcome)}`);
      }
      if (clock.monotonic() >= deadline) throw new LogAway(`the target does not answer: ${outcome.cause.message}`);
      await pause(pauseMs);
    }
  };
  const appendStream = async (events: readonly EventToCopy[]): Promise<void> => {
    for (const batch of batchesOf(events)) {
      const [first] = batch;
      if (first !== undefined)
        await append({ stream: first.stream, expectedRevision: first.revision - 1, events: batch });
    }
  };
  return {
    append,
    async appendAll(events) {
      const streams = Map.groupBy(events, ({ stream }) => stream);
      await Promise.all([...streams.values()].map(appendStream));
    },
  };
};
