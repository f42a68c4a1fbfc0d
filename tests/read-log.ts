import { randomBytes } from 'node:crypto';
import { openEventLog } from '../event-log/open-event-log.ts';
import { openAccounts } from '../main/open-accounts.ts';
import { cassandraClusters } from '../main/open-cassandra.ts';
import { openLogStore } from '../main/open-log.ts';
import type { LogPlace } from '../schemas/log-place.ts';
import type { RecordedEvent } from '../schemas/events.ts';
import type { StorePlace } from '../schemas/store-place.ts';
import { streamKinds } from '../schemas/streams.ts';

const clock = { now: () => Date.now(), monotonic: () => performance.now() };

const starting = { waiting: () => undefined, signal: new AbortController().signal };

const warn = (): void => undefined;

/** Where a log and its keys are, when they are not with the data. */
export interface LogElsewhere {
  readonly log?: LogPlace | undefined;
  readonly accounts?: StorePlace | undefined;
}

/** Every event of the log of a server that has ended, read back with its recovery and its checks. */
export const readLog = async (
  data: string,
  { log: place = { in: 'sqlite', directory: data }, accounts = { in: 'sqlite', directory: data } }: LogElsewhere = {},
): Promise<RecordedEvent[]> => {
  await using stack = new AsyncDisposableStack();
  const cassandra = cassandraClusters(warn, starting, stack);
  const keys = await openAccounts(accounts, { cassandra, whenMissing: 'refuse', warn }, stack);
  const { store } = await openLogStore(place, { warn, starting });
  const log = await openEventLog({ store, keys, clock, randomBytes });
  stack.defer(() => log.close());
  const tail = log.tail({ from: 0, streamKinds, signal: new AbortController().signal });
  const events: RecordedEvent[] = [];
  for (;;) {
    const batch = await tail.pull();
    events.push(...batch.events);
    if (batch.caughtUp) return events;
  }
};
