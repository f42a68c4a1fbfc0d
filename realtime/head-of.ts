import type { EventLog } from '../event-log/event-log.ts';
import type { LogPosition } from '../schemas/position.ts';

/** A place of the log, and the position that names it. */
export interface Place {
  readonly place: number;
  readonly position: LogPosition;
}

/** Where the log ends for this process now. */
export const headOf = (eventLog: Pick<EventLog, 'head' | 'locate'>): Place => {
  const position = eventLog.head();
  const located = eventLog.locate(position);
  if (located.where !== 'known') throw new Error('the log does not know its own head');
  return { place: located.place, position };
};
