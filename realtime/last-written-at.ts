import type { EventLog } from '../event-log/event-log.ts';
import { streamKinds } from '../schemas/streams.ts';

/** The time of the event that is the log's last one at this moment; read when it is asked for. */
export const lastWrittenAt = (eventLog: EventLog, signal: AbortSignal): (() => Promise<number>) => {
  const head = eventLog.locate(eventLog.head());
  return async () => {
    if (head.where !== 'known') throw new Error('the log does not know its own head');
    const tail = eventLog.tail({ from: Math.max(0, head.place - 1), streamKinds, signal });
    return (await tail.pull()).events[0]?.time ?? 0;
  };
};
