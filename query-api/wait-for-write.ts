import type { Clock } from '../command-side/clock.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { Progress } from '../projections/progress.ts';
import { reject, type Rejection } from '../schemas/errors.ts';
import { decodeReadAfter } from '../schemas/position.ts';

const longestWaitMs = 2_000;
const retryAfterMs = 1_000;

/** Refuses a token that this log did not give out. */
const unusable = reject('invalid', 'Parley-Read-After: is not the readAfter of a write to this log');
const behind = reject('read_model_behind', 'the read does not contain the write yet', { retryAfterMs });

/** Returns when `model` contains the write that a `Parley-Read-After` names (I5), or why the read cannot be had. */
export const waitForWrite = async (
  token: string,
  model: Progress,
  { eventLog, clock }: { readonly eventLog: EventLog; readonly clock: Clock },
): Promise<Rejection | undefined> => {
  const written = decodeReadAfter(token);
  if (written === undefined) return unusable;
  const located = eventLog.locateCursor(written.positions);
  switch (located.where) {
    case 'unknown_epoch':
      return unusable;
    // Where this process is told of the log by others, it may hear of the write later than the client did.
    case 'future':
      return behind;
    case 'known':
      return (await model.waitFor(located.place, clock.monotonic() + longestWaitMs)) ? undefined : behind;
  }
};
