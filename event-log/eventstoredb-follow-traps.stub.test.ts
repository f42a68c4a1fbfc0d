import { readdirSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import streams from '@eventstore/db-client/generated/streams_grpc_pb.js';
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { appendUntilKnown, openScene, quick, type EventstoredbScene } from '../tests/eventstoredb-scene.ts';
import { startStub } from '../tests/eventstoredb-stub/start-stub.ts';
import { appendAll, eventsIn, isCaughtUp, pullUntil, type Chat } from './chats.fixture.ts';
import { LogAway, LogDamaged, LogUnusable } from './event-log.ts';
import { openEventstoredbLogStore } from './eventstoredb-log-store.ts';

let its: EventstoredbScene;
beforeEach(async () => {
  its = await openScene();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await its[Symbol.asyncDispose]();
});

/** One event after the other, so that a subscription is live between them. */
const say = async (chat: Chat, count: number, from = -1): Promise<void> => {
  for (let revision = from; revision < from + count; revision++) {
    expect(await appendUntilKnown(its, chat.stream, [chat.message()], revision)).toMatchObject({
      outcome: 'appended',
      revision: revision + 1,
    });
  }
};

/** Everything that the log holds was heard, once and in its order. */
const heardAll = async (): Promise<void> => {
  const held: number[] = [];
  for (let after = 0; after < its.store.head(); after = held.at(-1) ?? after) {
    held.push(...(await its.store.readAll(after, 500)).map(({ n }) => n));
  }
  await expect.poll(() => its.heard.length).toBeGreaterThanOrEqual(held.length);
  expect(its.heard.map(({ n }) => n)).toEqual(held);
};

test.each(['cutConnections', 'resetSubscriptions', 'endSubscriptions'] as const)(
  'trap 2: after %s the next subscription goes on from the last event',
  async (fault) => {
    const chat = its.newChat();
    await say(chat, 3);
    await heardAll();
    await its.stub[fault]();
    await expect.poll(() => its.endings.length).toBe(1);
    await say(chat, 3, 2);
    await heardAll();
  },
);

test('traps 3 and 13: of subscriptions that end every few events none loses or doubles one', async () => {
  await its.stub.behave({ subscriptionEndedOneIn: 3, caughtUpOneIn: 2, slowSubscribers: 'ended' });
  const chats = Array.from({ length: 8 }, () => its.newChat());
  const tail = its.log.tail({ from: 0, streamKinds: ['conversation'], signal: new AbortController().signal });
  const total = chats.length * 40;
  const pulled = pullUntil(tail, (batches) => eventsIn(batches).length >= total);
  await Promise.all(chats.map((chat) => say(chat, 40)));
  await heardAll();
  const seen = eventsIn(await pulled);
  expect(new Set(seen).size).toBe(total);
  expect(its.endings.length).toBeGreaterThan(10);
  expect(new Set(its.endings)).toEqual(new Set(['slow']));
});

test('trap 13: a burst that the reader cannot take at once ends its subscription and costs it nothing', async () => {
  await its.stub.behave({ slowSubscribers: 'ended' });
  const chat = its.newChat();
  const texts = Array.from({ length: 1_000 }, () => chat.message('x'));
  await appendAll(its.log, chat.stream, texts, -1);
  await heardAll();
  expect(its.heard).toHaveLength(1_001);
  expect(its.log.away()).toBeUndefined();
});

test('trap 4: what the follower cannot take ends the log with its reason', async () => {
  const chat = its.newChat();
  await say(chat, 2);
  const other = EventStoreDBClient.connectionString(its.stub.url);
  await other.appendToStream(chat.stream, jsonEvent({ type: 'message-sent', data: {} }));
  const failure = await its.log.failed;
  expect(failure).toBeInstanceOf(LogDamaged);
  expect(failure.message).toContain('did not write');
  await other.dispose();
});

test('a tombstone of a stream of the log ends it', async () => {
  const chat = its.newChat();
  await say(chat, 2);
  const other = EventStoreDBClient.connectionString(its.stub.url);
  await other.tombstoneStream(chat.stream);
  expect((await its.log.failed).message).toContain('was deleted');
  await other.dispose();
});

test('trap 10: a subscription that fell silent while the log goes on is replaced', async () => {
  await its[Symbol.asyncDispose]();
  // As through a connection that is open at one end only: the first subscription is given nothing.
  const { read } = streams.StreamsClient.prototype as unknown as { read: (...given: unknown[]) => { emit: unknown } };
  let isSilent = false;
  vi.spyOn(streams.StreamsClient.prototype, 'read').mockImplementation(function (this: unknown, ...given: unknown[]) {
    const stream = read.apply(this, given);
    const [request] = given as [{ getOptions(): { hasSubscription(): boolean } }];
    if (request.getOptions().hasSubscription() && !isSilent) {
      isSilent = true;
      const emit = (stream.emit as (...said: unknown[]) => boolean).bind(stream);
      stream.emit = (name: string, ...more: unknown[]) => name !== 'data' && emit(name, ...more);
    }
    return stream as never;
  });
  its = await openScene({ watchMs: 100 });
  await say(its.newChat(), 2);
  await heardAll();
  expect(its.endings).toContain('deaf');
});

test('trap 10: an address may not turn keepalive off', async () => {
  await expect(
    openEventstoredbLogStore({ url: `${its.stub.url}&keepAliveInterval=-1`, warn: () => undefined }),
  ).rejects.toThrow('keepAliveInterval is not to be set');
});

test('trap 14: a log that lost its newest events is not followed, and nothing is appended to it', async () => {
  const chat = its.newChat();
  await say(chat, 5);
  await heardAll();
  const late = its.newChat().message();
  await its.stub.goDown();
  const appended = its.log.append(chat.stream, [late], 2);
  await its.stub.comeUp(2);
  const failure = await its.log.failed;
  expect(failure).toBeInstanceOf(LogUnusable);
  expect(failure.message).toContain('an older copy was restored');
  expect((await appended).outcome).not.toBe('appended');
  await its.log.close();
  const again = await openEventstoredbLogStore({ url: its.stub.url, warn: () => undefined });
  expect(await again.readAll(0, 100)).toHaveLength(4);
  await again.close();
});

test('trap 14: reads begin after any number, whether or not an event lies there', async () => {
  const chat = its.newChat();
  await say(chat, 6);
  const all = (await its.store.readAll(0, 100)).map(({ n }) => n);
  for (const [index, n] of all.entries()) {
    for (const after of [n - 1, n, n + 1]) {
      const due = all.filter((one) => one > after);
      expect((await its.store.readAll(after, 100)).map((event) => event.n)).toEqual(due);
      expect((await its.store.readAll(after, 2)).map((event) => event.n)).toEqual(due.slice(0, 2));
    }
    expect(index).toBeLessThan(all.length);
  }
});

test('trap 18: while the server is not ready it is away, and then it is not', async () => {
  const chat = its.newChat();
  await say(chat, 1);
  await its.stub.behave({ notReady: true });
  await its.stub.resetSubscriptions();
  await expect.poll(() => its.log.away()).toBeDefined();
  const event = chat.message();
  const appended = appendUntilKnown(its, chat.stream, [event], 0);
  await its.stub.heal();
  expect(await appended).toMatchObject({ outcome: 'appended', revision: 1 });
  expect(its.log.away()).toBeUndefined();
  await heardAll();
});

test('a server that is away for long refuses appends and reads with its reason, and all goes on when it is back', async () => {
  await its[Symbol.asyncDispose]();
  its = await openScene({ times: { ...quick, awayMs: 300 } });
  const chat = its.newChat();
  await say(chat, 1);
  await its.stub.goDown();
  await expect.poll(() => its.log.away()).toBeDefined();
  const outcome = await its.log.append(chat.stream, [chat.message()], 0);
  expect(outcome).toMatchObject({ outcome: 'refused', why: 'unprepared' });
  await expect(its.log.readStream(chat.stream, 0, 'forwards', 1)).rejects.toThrow(LogAway);
  await its.stub.comeUp(0);
  await expect.poll(() => its.log.away()).toBeUndefined();
  await say(chat, 2, 0);
  await heardAll();
});

/** Without a timer, for timers are counted. */
const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await nextTurn();
};

test('after a hundred lost subscriptions and connections there are no more descriptors and timers than before', async () => {
  const chat = its.newChat();
  const held = (): string => {
    const resources = process.getActiveResourcesInfo();
    const timers = resources.filter((kind) => kind === 'Timeout').length;
    return `${readdirSync('/proc/self/fd').length} descriptors, ${timers} timers`;
  };
  await say(chat, 1);
  await heardAll();
  const before = held();
  for (let round = 0; round < 150; round++) {
    await say(chat, 1, round);
    // What is not subscribed yet cannot be ended.
    await until(() => its.heard.at(-1)?.n === its.store.head());
    const endings = its.endings.length;
    await (round % 3 === 0 ? its.stub.cutConnections() : its.stub.endSubscriptions());
    await until(() => its.endings.length > endings);
  }
  await say(chat, 1, 150);
  await heardAll();
  // What the two ends of a connection close, they close when they like.
  await until(() => held() === before);
});

test('what this process wrote comes back in plain, and only once', async () => {
  const chat = its.newChat();
  await say(chat, 3);
  await heardAll();
  expect(its.heard.filter(({ stream }) => stream === chat.stream).every(({ plain }) => plain !== undefined)).toBe(true);
  const tail = its.log.tail({ from: 0, streamKinds: ['conversation'], signal: new AbortController().signal });
  its.keys.destroy(`user:${chat.author}`);
  const [batch] = await pullUntil(tail, isCaughtUp);
  expect(batch?.events[0]?.event).toMatchObject({ content: { text: 'message 1' } });
});

test("a server that holds another program's events is refused, one that is away is waited for", async () => {
  const stub = await startStub();
  const other = EventStoreDBClient.connectionString(stub.url);
  await other.appendToStream('orders-1', jsonEvent({ type: 'ordered', data: {} }));
  await other.dispose();
  const open = () => openEventstoredbLogStore({ url: stub.url, warn: () => undefined });
  await expect(open()).rejects.toThrow("it holds what is no log of Parley's: the first event is a ordered of orders-1");
  await stub.stop();
  await expect(open()).rejects.toThrow(LogAway);
  await expect(openEventstoredbLogStore({ url: 'esdb://u:secret@:x', warn: () => undefined })).rejects.toThrow(
    expect.not.stringContaining('secret'),
  );
});
