import streams from '@eventstore/db-client/generated/streams_grpc_pb.js';
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { AppendFault } from '../tests/eventstoredb-stub/faults.ts';
import { appendAll } from './chats.fixture.ts';
import { droppedAnswers } from './eventstoredb-answers.ts';
import { openEventstoredbLogStore } from './eventstoredb-log-store.ts';
import { appendUntilKnown, openScene, quick, type EventstoredbScene } from '../tests/eventstoredb-scene.ts';

let its: EventstoredbScene;
beforeEach(async () => {
  its = await openScene();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await its[Symbol.asyncDispose]();
});

const idsIn = async (stream: Parameters<typeof its.log.readStream>[0]): Promise<string[]> =>
  (await its.log.readStream(stream, 0, 'forwards', 1_000)).map(({ eventId }) => eventId);

const open = (changes: Partial<Parameters<typeof openEventstoredbLogStore>[0]> = {}) =>
  openEventstoredbLogStore({ url: its.stub.url, warn: () => undefined, ...changes });

test('trap 1: an append that the server never answers has an unknown fate after our own time', async () => {
  const chat = its.newChat();
  await its.stub.befallNextAppends(['unanswered-unwritten']);
  const event = chat.message();
  expect(await its.log.append(chat.stream, [event], -1)).toMatchObject({ outcome: 'unknown' });
  expect(await its.log.append(chat.stream, [event], -1)).toMatchObject({ outcome: 'appended', revision: 0 });
});

test.each<AppendFault>([
  'timed-out-written',
  'timed-out-unwritten',
  'unanswered-written',
  'cut-written',
  'cut-unwritten',
  'reset-written',
  'reset-unwritten',
  'deafening',
  'not-ready',
])('traps 5 and 18: an append that is %s is unknown, and given again stands once', async (fault) => {
  const chat = its.newChat();
  await appendAll(its.log, chat.stream, [chat.message()], -1);
  await its.stub.befallNextAppends([fault]);
  const events = [chat.message(), chat.message()];
  expect(await its.log.append(chat.stream, events, 0)).toMatchObject({ outcome: 'unknown' });
  expect(await appendUntilKnown(its, chat.stream, events, 0)).toMatchObject({ outcome: 'appended', revision: 2 });
  expect(await idsIn(chat.stream)).toHaveLength(3);
  expect(await its.log.append(chat.stream, [chat.message()], 2)).toMatchObject({ outcome: 'appended', revision: 3 });
});

test('trap 5: a connection that breaks while more is under way than it takes leaves nobody waiting', async () => {
  await its.log.close();
  await its.stub.stop();
  // No time of ours would end what hangs.
  its = await openScene({ times: { ...quick, answerMs: 600_000 } });
  const chats = Array.from({ length: 60 }, () => its.newChat());
  const appends = chats.map((chat) => {
    const event = chat.message('x'.repeat(100_000));
    return { chat, event, outcome: its.log.append(chat.stream, [event], -1) };
  });
  await its.stub.cutConnections();
  for (const { chat, event, outcome } of appends) {
    if ((await outcome).outcome === 'unknown') await appendUntilKnown(its, chat.stream, [event], -1);
    expect(await idsIn(chat.stream)).toEqual([event.eventId]);
  }
});

test('trap 6: a process has one client that appends', async () => {
  await expect(open()).rejects.toThrow('appends to an event log already');
  await its.log.close();
  const next = await open();
  await next.close();
});

test('trap 7: with a user in the address appends still share one stream of calls', async () => {
  await its.log.close();
  await its.stub.stop();
  its = await openScene();
  await its.log.close();
  const alone = vi.spyOn(streams.StreamsClient.prototype, 'append');
  const store = await open({ url: its.stub.url.replace('esdb://', 'esdb://admin:changeit@') });
  const chat = its.newChat();
  const outcome = await store.append({
    stream: chat.receipts,
    expectedRevision: -1,
    priority: 1,
    events: its.heard.slice(0, 1).map(({ envelope, link, checksum }) => ({ envelope, link, checksum })),
  });
  expect(outcome).toMatchObject({ outcome: 'appended' });
  expect(alone).not.toHaveBeenCalled();
  await store.close();
});

test('trap 8: an address may not make conflicts silent', async () => {
  await its.log.close();
  await expect(open({ url: `${its.stub.url}&throwOnAppendFailure=false` })).rejects.toThrow('is not to be set');
  await expect(open({ url: `${its.stub.url}&ThrowOnAppendFailure=false` })).rejects.toThrow('is not to be set');
});

test('trap 9: the expected revision reaches the server', async () => {
  const chat = its.newChat();
  await appendAll(its.log, chat.stream, [chat.message(), chat.message(), chat.message()], -1);
  for (const expected of [-1, 0, 1, 9]) {
    const outcome = await its.log.append(chat.stream, [chat.message()], expected);
    expect(outcome).toEqual({ outcome: 'conflict', actualRevision: 2 });
  }
  expect(await idsIn(chat.stream)).toHaveLength(3);
});

test('trap 11: what comes out are numbers, and a missing stream may be expected', async () => {
  const chat = its.newChat();
  const outcome = await its.log.append(chat.stream, [chat.message()], -1);
  const [event] = await its.log.readStream(chat.stream, 0, 'forwards', 1);
  expect(JSON.parse(JSON.stringify({ outcome, event, head: its.log.head() }))).toMatchObject({
    outcome: { outcome: 'appended', revision: 0 },
    event: { revision: 0 },
  });
  expect(await its.log.append(its.newChat().stream, [chat.message()], 4)).toEqual({
    outcome: 'conflict',
    actualRevision: -1,
  });
});

test.each<AppendFault>(['answered-by-stranger', 'answered-twice'])(
  'traps 6 and 12: an append that is %s ends nothing, and the next one works',
  async (fault) => {
    const before = droppedAnswers.count;
    const chat = its.newChat();
    await its.stub.befallNextAppends([fault]);
    await appendAll(its.log, chat.stream, [chat.message()], -1);
    await expect.poll(() => droppedAnswers.count).toBe(before + 1);
    await appendAll(its.log, chat.stream, [chat.message()], 0);
    expect(await idsIn(chat.stream)).toHaveLength(2);
  },
);

test('trap 12: what the server would refuse twice is not sent', async () => {
  const [known] = its.heard.length > 0 ? its.heard : await its.store.readAll(0, 1);
  if (known === undefined) throw new Error('the log has no epoch');
  const sent = vi.spyOn(streams.StreamsClient.prototype, 'batchAppend');
  const append = (stream: string) =>
    its.store.append({ stream: stream as typeof known.stream, expectedRevision: -1, priority: 0, events: [known] });
  for (const name of ['', 'orders-1', '$ce-conversation', `conversation-${'x'.repeat(2_000)}`, 'conversation-\ud800']) {
    expect(await append(name)).toMatchObject({ outcome: 'refused', why: 'unprepared' });
  }
  expect(sent).not.toHaveBeenCalled();
});

test('trap 15: after a restart that forgets all ids a batch that is given again stands once', async () => {
  const chat = its.newChat();
  const events = [chat.message(), chat.message(), chat.message()];
  const first = await its.log.append(chat.stream, events, -1);
  await its.stub.comeUp(0);
  expect(await appendUntilKnown(its, chat.stream, events, -1)).toEqual(first);
  expect(await idsIn(chat.stream)).toEqual(events.map(({ eventId }) => eventId));
});

test('trap 16: an append of no events is not sent', async () => {
  const chat = its.newChat();
  await expect(its.log.append(chat.stream, [], -1)).rejects.toThrow(RangeError);
  const outcome = await its.store.append({ stream: chat.stream, expectedRevision: -1, priority: 0, events: [] });
  expect(outcome).toMatchObject({ outcome: 'refused' });
  expect(await its.log.append(chat.stream, [chat.message()], 0)).toEqual({ outcome: 'conflict', actualRevision: -1 });
});

test('trap 17: what is too large is refused before it is sent, and hurts nothing that is under way', async () => {
  const proposals = vi.spyOn(EventStoreDBClient.prototype, 'appendToStream');
  const [small, large] = [its.newChat(), its.newChat()];
  const underWay = its.log.append(small.stream, [small.message()], -1);
  const texts = Array.from({ length: 40 }, () => large.message('😀'.repeat(100_000)));
  expect(await its.log.append(large.stream, texts, -1)).toEqual({ outcome: 'refused', why: 'too_large' });
  expect(await its.log.append(large.stream, texts.slice(0, 3), -1)).toEqual({ outcome: 'refused', why: 'too_large' });
  expect(await underWay).toMatchObject({ outcome: 'appended' });
  expect(proposals).toHaveBeenCalledOnce();
  expect(await its.log.append(large.stream, texts.slice(0, 2), -1)).toMatchObject({ outcome: 'appended', revision: 1 });
});

test('another program that writes into a stream of the log is met as damage', async () => {
  const chat = its.newChat();
  await appendAll(its.log, chat.stream, [chat.message()], -1);
  const other = EventStoreDBClient.connectionString(its.stub.url);
  await other.appendToStream('orders-1', jsonEvent({ type: 'ordered', data: {} }));
  await appendAll(its.log, chat.stream, [chat.message()], 0);
  expect(await its.store.readAll(0, 100)).toHaveLength(3);
  await other.appendToStream(chat.stream, jsonEvent({ type: 'message-sent', data: {} }));
  await expect(its.log.readStream(chat.stream, 0, 'forwards', 10)).rejects.toThrow('did not write');
  await expect(its.store.readAll(0, 100)).rejects.toThrow('did not write');
  await other.dispose();
});
