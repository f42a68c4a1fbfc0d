import { setTimeout as pause } from 'node:timers/promises';
import type { Warn } from '../command-side/warn.ts';
import { LogAway, LogUnusable } from '../event-log/event-log.ts';
import type { LogStore } from '../event-log/log-store.ts';
import type { LogPlace } from '../schemas/log-place.ts';
import { Counter, gauge, Histogram, type Metric } from '../schemas/metrics.ts';
import { ConfigurationUnusable } from './load-configuration.ts';
import type { StartWait } from './start-wait.ts';

export interface OpenLog {
  readonly store: LogStore;
  readonly metrics: readonly Metric[];
}

export interface LogDeps {
  readonly warn: Warn;
  readonly starting: StartWait;
}

const setting = 'PARLEY_EVENT_LOG';
const pauseMs = 500;

/** The store of the log, by the place that PARLEY_EVENT_LOG names. A server that is away is waited for. */
export const openLogStore = async (place: LogPlace, { warn, starting }: LogDeps): Promise<OpenLog> => {
  switch (place.in) {
    case 'sqlite': {
      const { openSqliteLogStore } = await import('../event-log/sqlite-log-store.ts');
      const appends = new Histogram('parley_append_fsync_seconds');
      const { directory } = place;
      const store = await openSqliteLogStore({ directory, onDisk: (milliseconds) => appends.observe(milliseconds) });
      return { store, metrics: [appends] };
    }
    case 'eventstoredb': {
      const { openEventstoredbLogStore } = await import('../event-log/eventstoredb-log-store.ts');
      const endings = new Counter('parley_log_resubscribed_total');
      const options = { url: place.url, warn, resubscribed: (why: string) => endings.add(why) };
      const store = await onceItAnswers(() => openEventstoredbLogStore(options), starting);
      const connected = gauge('parley_log_connected', () => [[[], store.away() === undefined ? 1 : 0]]);
      return { store, metrics: [endings, connected] };
    }
    default:
      return place satisfies never;
  }
};

const onceItAnswers = async (open: () => Promise<LogStore>, starting: StartWait): Promise<LogStore> => {
  for (;;) {
    try {
      return await open();
    } catch (error) {
      if (error instanceof LogUnusable)
        throw new ConfigurationUnusable(`${setting}: ${error.message}`, { cause: error });
      if (!(error instanceof LogAway)) throw error;
      starting.waiting(setting, error.message);
    }
    await pause(pauseMs, undefined, { signal: starting.signal });
  }
};

/** The log to look through, beside whoever writes it. */
export const openLogStoreReadOnly = async (place: LogPlace, deps: LogDeps): Promise<LogStore> => {
  if (place.in === 'eventstoredb') return (await openLogStore(place, deps)).store;
  const { openSqliteLogStoreReadOnly } = await import('../event-log/sqlite-log-store.ts');
  return openSqliteLogStoreReadOnly({ directory: place.directory });
};
