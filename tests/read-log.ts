import { randomBytes } from 'node:crypto';
import { openSqliteAccountsStore } from '../command-side/sqlite-accounts-store.ts';
import { openEventLog } from '../event-log/open-event-log.ts';
import { openLogStore } from '../main/open-log.ts';
import type { LogPlace } from '../schemas/log-place.ts';
import type { RecordedEvent } from '../schemas/events.ts';
import { streamKinds } from '../schemas/streams.ts';
import { accountsFile } from './data-files.ts';

const clock = { now: () => Date.now(), monotonic: () => performance.now() };

const starting = { waiting: () => undefined, signal: new AbortController().signal };

/** Every event of the log of a server that has ended, read back with its recovery and its checks. */
export const readLog = async (
  data: string,
  place: LogPlace = { in: 'sqlite', directory: data },
): Promise<RecordedEvent[]> => {
  const keys = await openSqliteAccountsStore({ path: accountsFile(data), whenMissing: 'refuse', cachedKeys: 10_000 });
  const { store } = await openLogStore(place, { warn: () => undefined, starting });
  const log = await openEventLog({ store, keys, clock, randomBytes });
  try {
    const tail = log.tail({ from: 0, streamKinds, signal: new AbortController().signal });
    const events: RecordedEvent[] = [];
    for (;;) {
      const batch = await tail.pull();
      events.push(...batch.events);
      if (batch.caughtUp) return events;
    }
  } finally {
    await log.close();
    await keys.close();
  }
};
