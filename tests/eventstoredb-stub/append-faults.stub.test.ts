import type { EventStoreDBClient } from '@eventstore/db-client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { message, messages, numbersIn, openClient, outcomeOf } from './client.fixture.ts';
import type { AppendFault } from './faults.ts';
import { startStub, type Stub } from './start-stub.ts';

let stub: Stub;
let client: EventStoreDBClient;
beforeEach(async () => {
  stub = await startStub();
  client = openClient(stub.url);
});
afterEach(async () => {
  await client.dispose();
  await stub.stop();
});

const append = (n: number, stream = 'a') =>
  client.appendToStream(stream, message(n), { expectedRevision: n === 0 ? 'no_stream' : BigInt(n - 1) });

test.each<[AppendFault, outcome: string, written: boolean]>([
  ['timed-out-written', 'DeadlineExceededError', true],
  ['timed-out-unwritten', 'DeadlineExceededError', false],
  ['cut-written', 'UnavailableError 14', true],
  ['cut-unwritten', 'UnavailableError 14', false],
  ['reset-written', 'UnknownError 13', true],
  ['reset-unwritten', 'UnknownError 13', false],
  ['not-ready', 'UnknownError', false],
  ['late', 'done', true],
])('an append that is %s ends with %s; written: %s', async (fault, outcome, written) => {
  await append(0);
  await stub.befallNextAppends([fault]);
  expect(await outcomeOf(append(1))).toBe(outcome);
  expect(await numbersIn(client, 'a')).toEqual(written ? [0, 1] : [0]);
  expect(await outcomeOf(append(written ? 2 : 1))).toBe('done');
});

test.each<[AppendFault, written: boolean]>([
  ['unanswered-written', true],
  ['unanswered-unwritten', false],
])('an append that is %s stays without an outcome while others have theirs; written: %s', async (fault, written) => {
  await append(0);
  await stub.befallNextAppends([fault]);
  let settled = false;
  const unanswered = outcomeOf(append(1)).finally(() => (settled = true));
  await append(0, 'b');
  expect(settled).toBe(false);
  expect(await numbersIn(client, 'a')).toEqual(written ? [0, 1] : [0]);
  await stub.cutConnections();
  expect(await unanswered).toBe('UnavailableError 14');
});

test('"Server Is Not Ready" is an error without a code, and a read says unavailable', async () => {
  await append(0);
  await stub.behave({ notReady: true });
  await expect(append(1)).rejects.toThrow('Could not recognize Server Is Not Ready');
  expect(await outcomeOf(numbersIn(client, 'a'))).toBe('UnavailableError 14');
  await stub.heal();
  expect(await outcomeOf(append(1))).toBe('done');
});

test('a stream of appends that is reset says so', async () => {
  await stub.befallNextAppends(['reset-unwritten']);
  await expect(append(0)).rejects.toThrow('13 INTERNAL: Received RST_STREAM with code 2');
});

test('an append in several messages that is cut in the middle is not written', async () => {
  await append(0);
  await stub.befallNextAppends(['cut-unwritten']);
  const cut = client.appendToStream('a', messages(1, 5), { expectedRevision: 0n, batchAppendSize: 2 });
  expect(await outcomeOf(cut)).toBe('UnavailableError 14');
  expect(await numbersIn(client, 'a')).toEqual([0]);
});

test('a stream of appends that has gone deaf answers none of them, and reads go on, until the connection breaks', async () => {
  await append(0);
  await stub.befallNextAppends(['deafening']);
  let settled = 0;
  const outcomes = [append(1), append(0, 'b')].map((appended) => outcomeOf(appended).finally(() => (settled += 1)));
  expect(await numbersIn(client, 'a')).toEqual([0]);
  expect(settled).toBe(0);
  await stub.cutConnections();
  expect(await Promise.all(outcomes)).toEqual(Array(2).fill('UnavailableError 14'));
  expect(await outcomeOf(append(1))).toBe('done');
  expect(await outcomeOf(numbersIn(client, 'b'))).toBe('StreamNotFoundError');
});

test('a connection that breaks takes all in flight with it, written or not', async () => {
  await append(0);
  await stub.befallNextAppends(['unanswered-written', 'unanswered-unwritten', 'cut-written']);
  const outcomes = await Promise.all([append(1), append(0, 'b'), append(0, 'c'), append(0, 'd')].map(outcomeOf));
  expect(outcomes).toEqual(Array(4).fill('UnavailableError 14'));
  expect(await numbersIn(client, 'a')).toEqual([0, 1]);
  expect(await numbersIn(client, 'c')).toEqual([0]);
  expect(await outcomeOf(numbersIn(client, 'b'))).toBe('StreamNotFoundError');
});

test('a read that fails makes a client connect again; when its first connection breaks, appends on both are rejected', async () => {
  await append(0);
  await stub.befallNextAppends(['unanswered-written']);
  const onFirst = outcomeOf(append(1));
  await expect.poll(() => stub.befallen()).toEqual({ 'append unanswered-written': 1 });
  await stub.behave({ reads: [{ fault: 'not-ready', oneIn: 1 }] });
  expect(await outcomeOf(numbersIn(client, 'a'))).toBe('UnavailableError 14');
  await stub.heal();
  await stub.befallNextAppends(['unanswered-written']);
  const onSecond = outcomeOf(append(0, 'b'));
  await expect.poll(async () => (await stub.befallen())['append unanswered-written']).toBe(2);
  await stub.cutOldestConnection();
  expect(await Promise.all([onFirst, onSecond])).toEqual(Array(2).fill('UnavailableError 14'));
  expect(await numbersIn(client, 'b')).toEqual([0]);
});

test('faults by chance befall about one in so many appends, the same ones with the same seed', async () => {
  const befallen = async (): Promise<number[]> => {
    const own = await startStub({ seed: 7 });
    const other = openClient(own.url);
    await own.behave({ appends: [{ fault: 'timed-out-unwritten', oneIn: 3 }] });
    const hit: number[] = [];
    for (let n = 0; n < 60; n++) {
      const outcome = await outcomeOf(other.appendToStream(`s${n}`, message(0)));
      if (outcome === 'DeadlineExceededError') hit.push(n);
    }
    await other.dispose();
    await own.stop();
    return hit;
  };
  const first = await befallen();
  expect(first.length).toBeGreaterThan(5);
  expect(first.length).toBeLessThan(40);
  expect(await befallen()).toEqual(first);
});

test.each<[AppendFault, outcome: string, written: boolean]>([
  ['timed-out-written', 'DeadlineExceededError 4', true],
  ['timed-out-unwritten', 'DeadlineExceededError 4', false],
  ['not-ready', 'UnavailableError 14', false],
  ['cut-written', 'UnavailableError 14', true],
  ['reset-unwritten', 'UnknownError 13', false],
])('the append of a client with credentials of its own, %s: %s, written: %s', async (fault, outcome, written) => {
  const credentials = { username: 'admin', password: 'changeit' };
  const byAppendCall = (n: number) =>
    client.appendToStream('a', message(n), { expectedRevision: n === 0 ? 'no_stream' : BigInt(n - 1), credentials });
  await byAppendCall(0);
  await stub.befallNextAppends([fault]);
  expect(await outcomeOf(byAppendCall(1))).toBe(outcome);
  expect(await numbersIn(client, 'a')).toEqual(written ? [0, 1] : [0]);
  expect(await outcomeOf(byAppendCall(written ? 2 : 1))).toBe('done');
});
