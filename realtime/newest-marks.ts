import type { RecordedEvent } from '../schemas/events.ts';
import type { ReceiptsEvent } from '../schemas/receipts-events.ts';

type Marks = ReceiptsEvent['marks'];

/**
 * Of each receipts event of a batch the marks that no later one of the batch moves on: a device that comes back needs only
 * those. What is left out is never lost, for a device that stops before the later one goes on before it.
 */
export const newestMarks = (events: readonly RecordedEvent[]): ReadonlyMap<RecordedEvent, Marks> => {
  const newest = new Map<RecordedEvent, Marks>();
  const moved = new Set<string>();
  for (const recorded of events.toReversed()) {
    const { event, stream } = recorded;
    if (event?.type !== 'receipts-advanced') continue;
    const marks = event.marks.filter(({ userId }) => !moved.has(stream + userId));
    for (const { userId } of marks) moved.add(stream + userId);
    newest.set(recorded, marks);
  }
  return newest;
};
