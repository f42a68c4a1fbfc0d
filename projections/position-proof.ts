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
  // It may lie in the log before, but counts as the position does.
  const eventPlace = place - (n - event.n);
  const { events } = await eventLog.tail({ from: eventPlace - 1, streamKinds, signal }).pull();
  const [found] = events;
  if (found?.eventId !== event.eventId) return 'differs';
  const foundAt = eventLog.locate(found.position);
  return foundAt.where === 'known' && foundAt.place === eventPlace ? 'holds' : 'differs';
};
