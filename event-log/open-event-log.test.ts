import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { StreamKind } from '../schemas/streams.ts';
import { appendAll, eventsIn, newChat, pullUntil, receipt, wallClock } from './chats.fixture.ts';
import { dataKeysInMemory, type DataKeysInMemory } from './data-keys.fixture.ts';
import type { EventLog } from './event-log.ts';
import type { LogStore, StoredEvent } from './log-store.ts';
import { openEventLog, type EventLogDependencies } from './open-event-log.ts';
import { openSqliteLogStore } from './sqlite-log-store.ts';

/** The store of one process of several: what the others commit comes without its plain form. */
const shared = (store: LogStore): (() => LogStore) => {
  const listeners: ((events: readonly StoredEvent[]) => void)[] = [];
  store.onCommitted((events) => {
    for (const listener of listeners) listener(events);
  });
  return () => {
    const own = new WeakSet<Uint8Array>();
    return {
      ...store,
      soleWriter: false,
      append: (request) => {
        for (const { envelope } of request.events) own.add(envelope);
        return store.append(request);
      },
      onCommitted: (listener) => {
        listeners.push((events) =>
          listener(
            events.map(({ plain, ...bytes }) => (plain && own.has(bytes.envelope) ? { ...bytes, plain } : bytes)),
          ),
        );
      },
      close: () => Promise.resolve(),
    };
  };
};

describe('a log over a store', () => {
  let directory: string;
  let store: LogStore;
  let keys: DataKeysInMemory;
  let ended: AbortController;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'parley-log-'));
    store = await openSqliteLogStore({ directory });
    keys = dataKeysInMemory(randomBytes);
    ended = new AbortController();
  });
  afterEach(async () => {
    ended.abort();
    await store.close();
    await rm(directory, { recursive: true });
  });

  const open = (changes: Partial<EventLogDependencies> = {}): Promise<EventLog> =>
    openEventLog({ store, keys, clock: wallClock, randomBytes, ...changes });

  const kindsOfInterest: readonly StreamKind[][] = [['conversation'], ['receipts'], ['conversation', 'receipts']];
  const step = fc.oneof(
    fc.record({ do: fc.constant('append' as const), count: fc.integer({ min: 1, max: 12 }), receipts: fc.boolean() }),
    fc.record({ do: fc.constant('pull' as const), tail: fc.nat(2) }),
    fc.record({ do: fc.constant('pullNow' as const), tail: fc.nat(2) }),
  );

  test('however appends and pulls mix, each tail gets every event of its kinds once and in order', async () => {
    const recentLimits = fc.record({
      events: fc.integer({ min: 1, max: 30 }),
      bytes: fc.integer({ min: 200, max: 20_000 }),
    });
    await fc.assert(
      fc.asyncProperty(recentLimits, fc.array(step, { maxLength: 40 }), async (recent, steps) => {
        const log = await open({ recent });
        const chat = newChat(keys);
        const located = log.locate(log.head());
        const from = located.where === 'known' ? located.place : 0;
        const written: Record<'conversation' | 'receipts', string[]> = { conversation: [], receipts: [] };
        const inOrder: { readonly kind: StreamKind; readonly id: string }[] = [];
        const tails = kindsOfInterest.map((streamKinds) => ({
          streamKinds,
          tail: log.tail({ from, streamKinds, signal: ended.signal }),
          seen: [] as string[],
        }));
        const expected = (kinds: readonly StreamKind[]): string[] =>
          inOrder.filter(({ kind }) => kinds.includes(kind)).map(({ id }) => id);
        const take = (tail: (typeof tails)[number] | undefined, events: readonly { eventId: string }[]): void => {
          tail?.seen.push(...events.map(({ eventId }) => eventId));
        };

        for (const one of steps) {
          if (one.do === 'append') {
            const kind: 'receipts' | 'conversation' = one.receipts ? 'receipts' : 'conversation';
            const events = Array.from({ length: one.count }, () =>
              one.receipts ? receipt(chat.author, 1) : chat.message(),
            );
            const stream = one.receipts ? chat.receipts : chat.stream;
            await appendAll(log, stream, events, written[kind].length - 1);
            written[kind].push(...events.map(({ eventId }) => eventId));
            inOrder.push(...events.map(({ eventId }) => ({ kind, id: eventId })));
          } else {
            const tail = tails[one.tail];
            const waits = tail === undefined || expected(tail.streamKinds).length === tail.seen.length;
            if (one.do === 'pullNow') take(tail, tail?.tail.pullNow()?.events ?? []);
            else if (!waits) take(tail, (await tail.tail.pull()).events);
          }
        }
        for (const one of tails) {
          while (one.seen.length < expected(one.streamKinds).length) take(one, (await one.tail.pull()).events);
          expect(one.seen).toEqual(expected(one.streamKinds));
          expect(one.tail.pullNow()).toBeUndefined();
        }
      }),
    );
  });

  test('an append of unknown fate may be given again: the same bytes, and once in the log', async () => {
    const requests: Uint8Array[][] = [];
    let lost = 0;
    const forgetful: LogStore = {
      ...store,
      append: async (request) => {
        const outcome = await store.append(request);
        if (request.stream.startsWith('parley')) return outcome;
        requests.push(request.events.flatMap(({ envelope, link }) => [Buffer.from(envelope), Buffer.from(link)]));
        return lost++ < 2 ? { outcome: 'unknown', cause: new Error('no answer came') } : outcome;
      },
    };
    const log = await open({ store: forgetful });
    const chat = newChat(keys);
    const batch = [chat.message(), chat.message()];
    expect(await log.append(chat.stream, batch, -1)).toMatchObject({ outcome: 'unknown' });
    expect(await log.append(chat.stream, batch, -1)).toMatchObject({ outcome: 'unknown' });
    expect(await log.append(chat.stream, batch, -1)).toMatchObject({ outcome: 'appended', revision: 1 });
    expect(requests[1]).toEqual(requests[0]);
    expect(requests[2]).toEqual(requests[0]);
    expect(await log.readStream(chat.stream, 0, 'forwards', 10)).toHaveLength(2);
    expect(await log.append(chat.stream, [chat.message()], 1)).toMatchObject({ outcome: 'appended', revision: 2 });
  });

  test('two processes that append to one stream make one chain, and each follows what the other wrote', async () => {
    const process = shared(store);
    const logs = [await open({ store: process() }), await open({ store: process() })] as const;
    const chat = newChat(keys);
    let revision = -1;
    for (const writer of [0, 0, 1, 1, 0, 1] as const) {
      const events = [chat.message(), chat.message()];
      if (revision > 0) {
        const stale = await logs[writer].append(chat.stream, [chat.message()], revision - 1);
        expect(stale).toEqual({ outcome: 'conflict', actualRevision: revision });
      }
      revision = await appendAll(logs[writer], chat.stream, events, revision);
    }
    const streamKinds = ['conversation'] as const;
    const followed = await Promise.all(
      logs.map((log) =>
        pullUntil(
          log.tail({ from: 0, streamKinds, signal: ended.signal }),
          (batches) => batches.at(-1)?.caughtUp ?? false,
        ),
      ),
    );
    const stored = await logs[0].readStream(chat.stream, 0, 'forwards', 100);
    expect(stored).toHaveLength(revision + 1);
    for (const batches of followed) expect(batches.flatMap(({ events }) => events)).toStrictEqual(stored);
  });

  test('a tail that waits loses nothing of two commits told in one tick', async () => {
    const oneByOne: LogStore = {
      ...store,
      onCommitted: (listener) => store.onCommitted((events) => events.forEach((event) => listener([event]))),
    };
    const log = await open({ store: oneByOne });
    const chat = newChat(keys);
    const tail = log.tail({ from: 0, streamKinds: ['conversation'], signal: ended.signal });
    const pulled = pullUntil(tail, (batches) => eventsIn(batches).length >= 3);
    const events = [chat.message(), chat.message(), chat.message()];
    await appendAll(log, chat.stream, events, -1);
    expect(eventsIn(await pulled)).toEqual(events.map(({ eventId }) => eventId));
  });

  test('what fails before anything is handed to the store is refused; what the store throws has an unknown fate', async () => {
    const fault = new Error('away');
    const away = { keys: false, reads: false, appends: false };
    const failing = <T>(is: boolean, otherwise: () => Promise<T>): Promise<T> =>
      is ? Promise.reject(fault) : otherwise();
    const noneInMemory: DataKeysInMemory = {
      ...keys,
      keyInMemory: () => undefined,
      keyOf: (subject) => failing(away.keys, () => keys.keyOf(subject)),
    };
    const faulty: LogStore = {
      ...store,
      append: (request) => failing(away.appends, () => store.append(request)),
      readStream: (...asked) => failing(away.reads, () => store.readStream(...asked)),
    };
    const chat = newChat(keys);
    await appendAll(await open(), chat.stream, [chat.message()], -1);
    // It has seen none of the stream yet, so it has to read the link that the event continues.
    const log = await open({ store: faulty, keys: noneInMemory });
    const event = chat.message();
    const unprepared = { outcome: 'refused', why: 'unprepared', cause: fault };
    away.keys = true;
    expect(await log.append(chat.stream, [event], 0)).toEqual(unprepared);
    [away.keys, away.reads] = [false, true];
    expect(await log.append(chat.stream, [event], 0)).toEqual(unprepared);
    [away.reads, away.appends] = [false, true];
    expect(await log.append(chat.stream, [event], 0)).toEqual({ outcome: 'unknown', cause: fault });
    away.appends = false;
    expect(await log.append(chat.stream, [event], 0)).toMatchObject({ outcome: 'appended', revision: 1 });
  });

  test('keys that are not in memory are waited for', async () => {
    keys = dataKeysInMemory(randomBytes, { inMemory: false });
    const log = await open();
    const chat = newChat(keys);
    const event = chat.message();
    await appendAll(log, chat.stream, [event], -1);
    expect(await log.readStream(chat.stream, 0, 'forwards', 1)).toMatchObject([{ event: event.event }]);
  });
});
