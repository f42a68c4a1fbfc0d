import { randomBytes } from 'node:crypto';
import { startStub, type Stub } from './eventstoredb-stub/start-stub.ts';
import { newChat, wallClock, type Chat } from '../event-log/chats.fixture.ts';
import { dataKeysInMemory, type DataKeysInMemory } from '../event-log/data-keys.fixture.ts';
import type { AppendOutcome, EventLog } from '../event-log/event-log.ts';
import { openEventstoredbLogStore, type EventstoredbLogStoreOptions } from '../event-log/eventstoredb-log-store.ts';
import type { LogStore, StoredEvent } from '../event-log/log-store.ts';
import { openEventLog } from '../event-log/open-event-log.ts';

/** A log on a server that fails as it is told to, and what it was heard to hold. */
export interface EventstoredbScene extends AsyncDisposable {
  readonly stub: Stub;
  readonly log: EventLog;
  readonly store: LogStore;
  readonly keys: DataKeysInMemory;
  /** What the store told of, in order. */
  readonly heard: StoredEvent[];
  /** Why subscriptions ended. */
  readonly endings: string[];
  newChat(): Chat;
}

export const quick = { answerMs: 1_500, serverMs: 1_000, awayMs: 10_000 };

export const openScene = async (options: Partial<EventstoredbLogStoreOptions> = {}): Promise<EventstoredbScene> => {
  const stub = await startStub();
  const keys = dataKeysInMemory(randomBytes);
  const heard: StoredEvent[] = [];
  const endings: string[] = [];
  const store = await openEventstoredbLogStore({
    url: stub.url,
    warn: () => undefined,
    times: quick,
    resubscribed: (why) => endings.push(why),
    ...options,
  });
  const listened: LogStore = {
    ...store,
    onCommitted: (listener) =>
      store.onCommitted((events) => {
        heard.push(...events);
        listener(events);
      }),
  };
  const log = await openEventLog({ store: listened, keys, clock: wallClock, randomBytes });
  return {
    stub,
    log,
    store,
    keys,
    heard,
    endings,
    newChat: () => newChat(keys),
    async [Symbol.asyncDispose]() {
      await log.close();
      await stub.stop();
    },
  };
};

/** Appends the identical events until their fate is known. */
export const appendUntilKnown = async (
  { log }: EventstoredbScene,
  ...[stream, events, expected]: Parameters<EventLog['append']>
): Promise<AppendOutcome> => {
  for (;;) {
    const outcome = await log.append(stream, events, expected);
    if (outcome.outcome !== 'unknown') return outcome;
  }
};
