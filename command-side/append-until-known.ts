import { setTimeout as pause } from 'node:timers/promises';
import type { AppendOutcome, EventLog } from '../event-log/event-log.ts';
import type { NewEvent } from '../schemas/events.ts';
import type { StreamName } from '../schemas/streams.ts';
import type { Clock } from './clock.ts';

export const fateDeadlineMs = 10_000;
const firstPauseMs = 20;
const longestPauseMs = 1_000;

/**
 * Appends, and while the fate is unknown appends the identical batch again: the expected revision lets it stand once at
 * most. After the deadline the answer is `unknown`. A refusal tells of its own attempt only, so it settles nothing
 * after an unknown one; a conflict does, for what was sent before expected the same revision.
 */
export const appendUntilKnown = async (
  eventLog: EventLog,
  clock: Clock,
  stream: StreamName,
  events: readonly NewEvent[],
  expectedRevision: number,
): Promise<AppendOutcome> => {
  let outcome = await eventLog.append(stream, events, expectedRevision);
  if (outcome.outcome !== 'unknown') return outcome;
  const unknown = outcome;
  const deadline = clock.monotonic() + fateDeadlineMs;
  const failed = eventLog.failed.then(() => true);
  for (let pauseMs = firstPauseMs; clock.monotonic() < deadline; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
    // A log that failed answers nothing any more; the process must end for recovery to decide the fate.
    if (await Promise.race([pause(pauseMs, false), failed])) return unknown;
    outcome = await eventLog.append(stream, events, expectedRevision);
    if (outcome.outcome === 'appended' || outcome.outcome === 'conflict') return outcome;
    if (outcome.outcome === 'refused' && outcome.why === 'closed') return unknown;
  }
  return unknown;
};
