import { resolve } from 'node:path';
import type { Clock } from '../command-side/clock.ts';
import { randomPool } from '../command-side/random-pool.ts';
import { copyLog as copy, type CopiedLog } from '../event-log/copy-log.ts';
import { LogUnusable } from '../event-log/event-log.ts';
import type { LogStore } from '../event-log/log-store.ts';
import type { LogPlace } from '../schemas/log-place.ts';
import { seal } from './sealed.ts';

export interface CopyLog {
  readonly from: LogPlace;
  readonly to: LogPlace;
  readonly clock: Clock;
  /** Told how many events of the log stand in the copy, and how far along the log that is. */
  readonly copied: (events: number, place: number, of: number) => void;
}

/** Seals a log and copies it to another place. Cut short, the same call goes on. */
export const copyLog = async ({ from, to, clock, copied }: CopyLog): Promise<CopiedLog> => {
  // In EventStoreDB nobody can be kept from appending, and what came behind the copy would be lost.
  if (from.in !== 'sqlite') throw new LogUnusable('only a log in SQLite can be sealed, and so copied');
  if (to.in === 'sqlite' && resolve(to.directory) === resolve(from.directory)) {
    throw new LogUnusable('a log is not copied onto itself');
  }
  await using stack = new AsyncDisposableStack();
  const { openSqliteLogStoreReadOnly } = await import('../event-log/sqlite-log-store.ts');
  const { directory } = from;
  // Before the seal: a typing error should not stop a server from starting.
  await (await openSqliteLogStoreReadOnly({ directory })).close();
  const target = await openTarget(to);
  stack.defer(() => target.close());
  const there = to.in === 'sqlite' ? `sqlite:${resolve(to.directory)}` : to.url;
  const sealed = await seal({ directory, part: 'log', to: there, now: clock.now() }, stack);
  // Opened behind the seal it holds the last event that was ever written here.
  const source = await openSqliteLogStoreReadOnly({ directory });
  stack.defer(() => source.close());
  const finishing = (): Promise<void> => {
    sealed.finish();
    return Promise.resolve();
  };
  return await copy({ source, target, clock, randomBytes: randomPool(), copied, finishing });
};

const openTarget = async (place: LogPlace): Promise<LogStore> => {
  if (place.in === 'sqlite') {
    const { openSqliteCopyStore } = await import('../event-log/sqlite-log-store.ts');
    return openSqliteCopyStore({ directory: place.directory });
  }
  const { openEventstoredbLogStore } = await import('../event-log/eventstoredb-log-store.ts');
  return openEventstoredbLogStore({ url: place.url, warn: () => undefined });
};
