import type { EventLog } from '../event-log/event-log.ts';
import { streamKinds } from '../schemas/streams.ts';
import type { AppliedPosition } from './read-model.ts';

/**
 * Whether a read model was built from this log. `holds`: the log has the event that was stored with the position, where
 * it was then. `ahead`: the position lies beyond the log's end. `differs`: another log, or a tail that was lost.
 */
export const proofOf = async (
  eventLog: EventLog,
  stored: AppliedPosition | undefined,
  signal: AbortSignal,
): Promise<'holds' | 'ahead' | 'differs'> => {
  if (stored === undefined) return 'holds';
  const { log, n, place, event } = stored;
  const located = eventLog.locate({ log, n });
  if (located.where === 'future') return 'ahead';
  if (located.where !== 'known' || located.place !== place) return 'differs';
  if (event === null) return 'holds';
  const { events } = await eventLog.tail({ from: place - (n - event.n) - 1, streamKinds, signal }).pull();
  const [found] = events;
  return found?.eventId === event.eventId && found.position.n === event.n ? 'holds' : 'differs';
};
