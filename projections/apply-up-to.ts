import type { EventLog, TailBatch } from '../event-log/event-log.ts';
import type { StreamKind } from '../schemas/streams.ts';
import { gather } from './gather.ts';
import { newestEvent, type AppliedPosition, type ReadModelWriter } from './read-model.ts';

export interface ApplyUpTo {
  readonly eventLog: EventLog;
  readonly writer: ReadModelWriter;
  readonly streamKinds: readonly StreamKind[];
  readonly signal: AbortSignal;
}

/** Brings a read model that nobody follows to exactly one place of the log, which the log has reached. */
export const applyUpTo = async (
  { eventLog, writer, streamKinds, signal }: ApplyUpTo,
  place: number,
): Promise<AppliedPosition | undefined> => {
  let applied = (await writer.position())?.applied;
  const tail = eventLog.tail({ from: applied?.place ?? 0, streamKinds, signal });
  let held: TailBatch | undefined;
  while ((applied?.place ?? 0) < place) {
    const gathered = await gather(tail, held ?? (await tail.pull()), () => Promise.resolve(false));
    held = gathered.held;
    const { log, through, throughPlace, events } = gathered.batch;
    const upTo = Math.min(throughPlace, place);
    const n = through.n - (throughPlace - upTo);
    const due = events.filter(({ position }) => position.n <= n);
    applied = { log, n, place: upTo, event: newestEvent(due, applied, { n, place: upTo }) };
    await writer.apply({ events: due, through: applied });
  }
  return applied;
};
