import { randomUUID } from 'node:crypto';
import {
  binaryEvent,
  BACKWARDS,
  END,
  type EventStoreDBClient,
  jsonEvent,
  START,
  streamNameFilter,
  eventTypeFilter,
  WrongExpectedVersionError,
} from '@eventstore/db-client';
import features from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import type { SupportedMethods } from '@eventstore/db-client/generated/serverfeatures_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventsOf, message, messages, numbersIn, openClient, outcomeOf, watch } from './client.fixture.ts';
import { startStub, type Stub } from './start-stub.ts';

let stub: Stub;
let client: EventStoreDBClient;
let streams = 0;
beforeAll(async () => {
  stub = await startStub();
  client = openClient(stub.url);
});
afterAll(async () => {
  await client.dispose();
  await stub.stop();
});

const newStream = (): string => `stream-${++streams}`;
const bytes = (count: number) => binaryEvent({ type: 'bytes', data: new Uint8Array(count) });

describe('an append', () => {
  test('at the exact revision is written, at another one it says the actual revision', async () => {
    const stream = newStream();
    const first = await client.appendToStream(stream, messages(0, 3), { expectedRevision: 'no_stream' });
    expect(first.nextExpectedRevision).toBe(2n);
    for (const expectedRevision of ['no_stream', 1n, 3n] as const) {
      const error = await client.appendToStream(stream, message(9), { expectedRevision }).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(WrongExpectedVersionError);
      expect(error).toMatchObject({ expectedVersion: expectedRevision, actualVersion: 2n });
    }
    const missing = client.appendToStream(newStream(), message(9), { expectedRevision: 5n });
    await expect(missing).rejects.toMatchObject({ expectedVersion: 5n, actualVersion: 'no_stream' });
    expect(await numbersIn(client, stream)).toEqual([0, 1, 2]);
  });

  test('that is repeated at its exact revision is answered as the first time, also when the stream has advanced', async () => {
    const stream = newStream();
    const batch = messages(0, 3);
    const first = await client.appendToStream(stream, batch, { expectedRevision: 'no_stream' });
    await client.appendToStream(stream, message(3), { expectedRevision: 2n });
    expect(await client.appendToStream(stream, batch, { expectedRevision: 'no_stream' })).toEqual(first);
    const part = await client.appendToStream(stream, batch.slice(0, 2), { expectedRevision: 'no_stream' });
    expect(part.nextExpectedRevision).toBe(1n);
    expect(await client.appendToStream(stream, batch, { expectedRevision: 'any' })).toEqual(first);
    expect(await numbersIn(client, stream)).toEqual([0, 1, 2, 3]);
  });

  test('of a known event and a new one conflicts; a known one at the current revision is written again', async () => {
    const stream = newStream();
    const known = message(0, randomUUID());
    await client.appendToStream(stream, known, { expectedRevision: 'no_stream' });
    const mixed = [known, message(1)];
    expect(await outcomeOf(client.appendToStream(stream, mixed, { expectedRevision: 'no_stream' }))).toBe(
      'WrongExpectedVersionError',
    );
    expect(await outcomeOf(client.appendToStream(stream, mixed, { expectedRevision: 'any' }))).toBe(
      'WrongExpectedVersionError',
    );
    await client.appendToStream(stream, known, { expectedRevision: 0n });
    expect(await numbersIn(client, stream)).toEqual([0, 0]);
  });

  test('waits for none before it: those to one stream are handled in order, and a conflict stops no other', async () => {
    const stream = newStream();
    const sent = (['no_stream', 5n, 0n] as const).map((expectedRevision, n) =>
      outcomeOf(client.appendToStream(stream, message(n), { expectedRevision })),
    );
    expect(await Promise.all(sent)).toEqual(['done', 'WrongExpectedVersionError', 'done']);
    expect(await numbersIn(client, stream)).toEqual([0, 2]);
  });

  test('of no events succeeds, and leaves a missing stream missing', async () => {
    const stream = newStream();
    expect(await client.appendToStream(stream, [])).toMatchObject({ success: true, nextExpectedRevision: 0n });
    expect(await outcomeOf(numbersIn(client, stream))).toBe('StreamNotFoundError');
  });

  test('is refused above 1 MiB of data, and the next one is not', async () => {
    const stream = newStream();
    expect(await outcomeOf(client.appendToStream(stream, bytes(1 << 20)))).toBe('done');
    expect(await outcomeOf(client.appendToStream(stream, bytes((1 << 20) + 1)))).toBe('MaxAppendSizeExceededError');
    expect(await outcomeOf(client.appendToStream(stream, bytes(1)))).toBe('done');
  });

  test('beyond what the server takes in one message ends every append in flight', async () => {
    const stream = newStream();
    await stub.befallNextAppends(['unanswered-unwritten']);
    const inFlight = [bytes(1), bytes(17 << 20)].map((event) => outcomeOf(client.appendToStream(stream, event)));
    expect(await Promise.all(inFlight)).toEqual(['UnknownError 8', 'UnknownError 8']);
    expect(await outcomeOf(client.appendToStream(stream, bytes(1)))).toBe('done');
  });

  test('whose deadline has passed is not written', async () => {
    const stream = newStream();
    expect(await outcomeOf(client.appendToStream(stream, message(0), { deadline: -1 }))).toBe('DeadlineExceededError');
    expect(await outcomeOf(numbersIn(client, stream))).toBe('StreamNotFoundError');
  });

  test('keeps bytes and JSON as they were, with their metadata', async () => {
    const stream = newStream();
    const binary = binaryEvent({ type: 'b', data: Uint8Array.of(0, 255), metadata: Uint8Array.of(7, 0) });
    const json = jsonEvent({ type: 'j', data: { text: '東京' }, metadata: { by: 'Zoë' } });
    await client.appendToStream(stream, [binary, json]);
    const events = await eventsOf(client.readStream(stream));
    expect(events.map(({ event }) => [event?.id, event?.type, event?.isJson])).toEqual([
      [binary.id, 'b', false],
      [json.id, 'j', true],
    ]);
    expect(Uint8Array.from(events[0]?.event?.data as unknown as Uint8Array)).toEqual(binary.data);
    expect(Uint8Array.from(events[0]?.event?.metadata as Uint8Array)).toEqual(binary.metadata);
    expect(events[1]?.event).toMatchObject({ data: json.data, metadata: json.metadata });
    expect(events[0]?.event?.created).toEqual(events[1]?.event?.created);
  });
});

describe('a read', () => {
  const revisions = async (stream: string, options: Parameters<EventStoreDBClient['readStream']>[1]) =>
    (await eventsOf(client.readStream(stream, options))).map(({ event }) => Number(event?.revision));

  test('of a stream goes both ways, from anywhere, over many pages', async () => {
    const stream = newStream();
    await client.appendToStream(stream, messages(0, 350));
    expect(await numbersIn(client, stream)).toEqual(Array.from({ length: 350 }, (_, n) => n));
    expect(await revisions(stream, { fromRevision: 348n })).toEqual([348, 349]);
    expect(await revisions(stream, { fromRevision: 2n, maxCount: 2 })).toEqual([2, 3]);
    expect(await revisions(stream, { fromRevision: 350n })).toEqual([]);
    for (const fromRevision of [END, 400n] as const) {
      expect(await revisions(stream, { direction: BACKWARDS, fromRevision, maxCount: 2 })).toEqual([349, 348]);
    }
    expect(await revisions(stream, { direction: BACKWARDS, fromRevision: 1n })).toEqual([1, 0]);
    expect(await outcomeOf(revisions(stream, { maxCount: 0 }))).toBe('UnknownError 2');
  });

  test('of all has the event at its position, nothing past the end, and fails inside an event', async () => {
    const stream = newStream();
    const { position } = await client.appendToStream(stream, messages(0, 3));
    if (!position) throw new Error('no position');
    const at = (offset: bigint) => ({ commit: position.commit + offset, prepare: position.prepare + offset });
    const ids = async (options: Parameters<EventStoreDBClient['readAll']>[0]) =>
      (await eventsOf(client.readAll(options))).map(({ event }) => `${event?.streamId ?? ''}@${event?.revision ?? ''}`);
    expect(await ids({ fromPosition: position })).toEqual([`${stream}@2`]);
    expect(await ids({ fromPosition: END, direction: BACKWARDS, maxCount: 2 })).toEqual([`${stream}@2`, `${stream}@1`]);
    expect(await ids({ fromPosition: position, direction: BACKWARDS, maxCount: 1 })).toEqual([`${stream}@1`]);
    expect(await ids({ fromPosition: at(1_000_000n) })).toEqual([]);
    expect(await outcomeOf(ids({ fromPosition: at(-3n) }))).toBe('UnknownError 2');
  });

  test('of all has positions that rise, and whole numbers of the log before it', async () => {
    const all = await eventsOf(client.readAll());
    const positions = all.map(({ event }) => event?.position?.commit ?? -1n);
    expect(positions).toEqual(positions.toSorted((a, b) => Number(a - b)));
    expect(new Set(positions).size).toBe(all.length);
    expect(all.length).toBeGreaterThan(300);
    expect(await outcomeOf(numbersIn(client, newStream()))).toBe('StreamNotFoundError');
  });
});

describe('a subscription', () => {
  test('to a stream has what was there, says that it has caught up, and has what comes', async () => {
    const stream = newStream();
    await client.appendToStream(stream, messages(0, 200));
    const seen = watch(client.subscribeToStream(stream, { fromRevision: START }));
    const there = Array.from({ length: 200 }, (_, n) => n);
    await expect.poll(() => seen).toEqual(['confirmation', ...there, 'caughtUp']);
    await client.appendToStream(stream, messages(200, 2));
    await expect.poll(() => seen).toEqual(['confirmation', ...there, 'caughtUp', 200, 201]);
    const after = watch(client.subscribeToStream(stream, { fromRevision: 199n }));
    await expect.poll(() => after).toEqual(['confirmation', 200, 201, 'caughtUp']);
  });

  test('to a missing stream, and from the end of one, has what comes', async () => {
    const [missing, known] = [newStream(), newStream()];
    await client.appendToStream(known, message(0));
    const seen = [
      watch(client.subscribeToStream(missing, { fromRevision: START })),
      watch(client.subscribeToStream(known, { fromRevision: END })),
    ];
    await expect.poll(() => seen).toEqual(Array(2).fill(['confirmation', 'caughtUp']));
    await client.appendToStream(missing, message(1));
    await client.appendToStream(known, message(2));
    await expect
      .poll(() => seen)
      .toEqual([
        ['confirmation', 'caughtUp', 1],
        ['confirmation', 'caughtUp', 2],
      ]);
  });

  test('to all starts after its position, and fails inside an event', async () => {
    const { position } = await client.appendToStream(newStream(), message(1));
    if (!position) throw new Error('no position');
    const seen = watch(client.subscribeToAll({ fromPosition: position }));
    await expect.poll(() => seen).toEqual(['confirmation', 'caughtUp']);
    await client.appendToStream(newStream(), message(2));
    await expect.poll(() => seen).toEqual(['confirmation', 'caughtUp', 2]);
    const inside = { commit: position.commit - 3n, prepare: position.prepare - 3n };
    const failed = watch(client.subscribeToAll({ fromPosition: inside }));
    await expect.poll(() => failed).toEqual(['confirmation', 'UnknownError 3']);
  });

  test('with a filter has what matches, and says every 32 events how far it has looked', async () => {
    const stream = newStream();
    const marks: bigint[] = [];
    const checkpointReached = async (_: unknown, { commit }: { commit: bigint }): Promise<void> =>
      void marks.push(commit);
    const filters = [
      streamNameFilter({ prefixes: [stream], checkpointReached }),
      streamNameFilter({ regex: `^${stream}$` }),
      eventTypeFilter({ prefixes: ['mess'] }),
    ];
    const seen = filters.map((filter) => watch(client.subscribeToAll({ fromPosition: END, filter })));
    await expect.poll(() => seen).toEqual(filters.map(() => ['confirmation', 'caughtUp']));
    await client.appendToStream(newStream(), jsonEvent({ type: 'other', data: {} }));
    await client.appendToStream(stream, message(1));
    await expect.poll(() => seen).toEqual(filters.map(() => ['confirmation', 'caughtUp', 1]));
    for (let n = 0; n < 40; n++) await client.appendToStream(newStream(), jsonEvent({ type: 'other', data: {} }));
    await expect.poll(() => marks.length).toBe(1);
  });
});

describe('a stream', () => {
  test('with $maxCount or $tb hides what is older, but not from a read of all', async () => {
    const [counted, truncated] = [newStream(), newStream()];
    expect((await client.getStreamMetadata(counted)).metadata).toBeUndefined();
    await client.appendToStream(counted, messages(0, 4));
    await client.appendToStream(truncated, messages(10, 4));
    await client.setStreamMetadata(counted, { maxCount: 2 });
    await client.setStreamMetadata(truncated, { truncateBefore: 3 });
    expect(await numbersIn(client, counted)).toEqual([2, 3]);
    expect(await numbersIn(client, truncated)).toEqual([13]);
    const all = await eventsOf(client.readAll({ direction: BACKWARDS, fromPosition: END, maxCount: 12 }));
    expect(all.filter(({ event }) => event?.streamId === counted)).toHaveLength(4);
    expect((await client.getStreamMetadata(counted)).metadata).toMatchObject({ maxCount: 2 });
  });

  test('that is deleted is not found, and goes on counting when somebody appends again', async () => {
    const stream = newStream();
    await client.appendToStream(stream, messages(0, 2));
    await client.deleteStream(stream);
    expect(await outcomeOf(numbersIn(client, stream))).toBe('StreamNotFoundError');
    const again = await client.appendToStream(stream, message(2), { expectedRevision: 'no_stream' });
    expect(again.nextExpectedRevision).toBe(2n);
    expect(await numbersIn(client, stream)).toEqual([2]);
    expect(await outcomeOf(client.deleteStream(newStream()))).toBe('WrongExpectedVersionError 9');
  });

  test('with a tombstone is deleted for ever; the tombstone comes through a read of all', async () => {
    const stream = newStream();
    await client.appendToStream(stream, message(0));
    await client.tombstoneStream(stream);
    expect(await outcomeOf(client.appendToStream(stream, message(1)))).toBe('StreamDeletedError');
    expect(await outcomeOf(numbersIn(client, stream))).toBe('StreamDeletedError 9');
    expect(await outcomeOf(client.tombstoneStream(stream))).toBe('StreamDeletedError 9');
    const failed = watch(client.subscribeToStream(stream));
    await expect.poll(() => failed).toEqual(['StreamDeletedError 9']);
    const [last] = await eventsOf(client.readAll({ direction: BACKWARDS, fromPosition: END, maxCount: 1 }));
    expect(last?.event).toMatchObject({ type: '$streamDeleted', streamId: stream, revision: 9223372036854775807n });
  });
});

test('a server says which version it is, and what it can do', async () => {
  const old = await startStub({ version: '21.10.0.0' });
  const asking = new features.ServerFeaturesClient(`127.0.0.1:${old.port}`, credentials.createInsecure());
  const answer = await new Promise<SupportedMethods.AsObject>((resolve, reject) => {
    asking.getSupportedMethods(new shared.Empty(), (error, methods) =>
      error ? reject(error) : resolve(methods.toObject()),
    );
  });
  expect(answer.eventStoreServerVersion).toBe('21.10.0.0');
  expect(answer.methodsList.map(({ methodName }) => methodName)).toContain('batchappend');
  asking.close();
  await old.stop();
});
