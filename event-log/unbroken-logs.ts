import type { LogId } from '../schemas/position.ts';
import { logStream } from '../schemas/streams.ts';
import type { EventLog } from './event-log.ts';

const page = 1_000;

/**
 * The logs of this line behind which nothing was lost: that of the head and those it is a copy of, back to the last restore.
 * What was made from any other may hold events that are no more.
 */
export const unbrokenLogs = async (eventLog: Pick<EventLog, 'readStream'>): Promise<ReadonlySet<LogId>> => {
  let logs = new Set<LogId>();
  for (let from = 0; ;) {
    const events = await eventLog.readStream(logStream, from, 'forwards', page);
    if (events.length === 0) return logs;
    from += events.length;
    for (const { event } of events) {
      if (event?.type !== 'epoch-started') continue;
      if (event.reason !== 'copied') logs = new Set();
      logs.add(event.log);
    }
  }
};
