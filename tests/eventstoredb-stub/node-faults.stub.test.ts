import { randomUUID } from 'node:crypto';
import { type EventStoreDBClient, NotLeaderError, START } from '@eventstore/db-client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventsOf, message, messages, numbersIn, openClient, outcomeOf, watch } from './client.fixture.ts';
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

test('a server that takes calls and never answers writes nothing, also not when it wakes', async () => {
  await client.appendToStream('a', message(0));
  const seen = watch(client.subscribeToAll({ fromPosition: START }));
  await expect.poll(() => seen).toEqual(['confirmation', 0, 'caughtUp']);
  await stub.behave({ mute: true });
  const lost = outcomeOf(client.appendToStream('a', message(1), { deadline: 100 }));
  const read = outcomeOf(numbersIn(client, 'a'));
  await expect.poll(() => stub.befallen()).toEqual({ 'append unanswered-unwritten': 1, 'read unanswered': 1 });
  await stub.heal();
  await client.appendToStream('a', message(2));
  expect(await numbersIn(client, 'a')).toEqual([0, 2]);
  await expect.poll(() => seen).toEqual(['confirmation', 0, 'caughtUp', 2]);
  await stub.cutConnections();
  expect(await Promise.all([lost, read])).toEqual(['UnavailableError 14', 'UnavailableError 14']);
});

test('a server that is gone: calls fail at once, and work again when it is back with its log', async () => {
  await client.appendToStream('a', message(0));
  const seen = watch(client.subscribeToAll({ fromPosition: START }));
  await expect.poll(() => seen).toEqual(['confirmation', 0, 'caughtUp']);
  await stub.goDown();
  await expect.poll(() => seen.at(-1)).toBe('UnavailableError 14');
  expect(await outcomeOf(client.appendToStream('a', message(1)))).toMatch(/14$/);
  expect(await outcomeOf(numbersIn(client, 'a'))).toBe('UnavailableError 14');
  await stub.comeUp(0);
  await expect.poll(() => outcomeOf(client.appendToStream('a', message(1), { expectedRevision: 0n }))).toBe('done');
  expect(await numbersIn(client, 'a')).toEqual([0, 1]);
});

test('a restart empties the cache of ids: a repeat under "any" is written again, one at its exact revision is not', async () => {
  const batch = [message(0, randomUUID()), message(1, randomUUID())];
  const first = await client.appendToStream('a', batch, { expectedRevision: 'any' });
  expect(await client.appendToStream('a', batch, { expectedRevision: 'any' })).toEqual(first);
  await stub.comeUp(0);
  const repeat = () => client.appendToStream('a', batch, { expectedRevision: 'no_stream' });
  await expect.poll(() => outcomeOf(repeat())).toBe('done');
  expect(await repeat()).toEqual(first);
  expect(await numbersIn(client, 'a')).toEqual([0, 1]);
  await client.appendToStream('a', batch, { expectedRevision: 'any' });
  expect(await numbersIn(client, 'a')).toEqual([0, 1, 0, 1]);
});

test('an older copy of the log that is put back has lost its newest events, and a follower from there is deaf', async () => {
  const { position } = await client.appendToStream('a', messages(0, 50));
  if (!position) throw new Error('no position');
  await stub.comeUp(20);
  await expect.poll(() => outcomeOf(numbersIn(client, 'a'))).toBe('done');
  expect(await numbersIn(client, 'a')).toHaveLength(30);
  const seen = watch(client.subscribeToAll({ fromPosition: position }));
  await expect.poll(() => seen).toEqual(['confirmation', 'caughtUp']);
  await client.appendToStream('a', message(100), { expectedRevision: 29n });
  await client.appendToStream('a', messages(101, 30), { expectedRevision: 30n });
  await expect.poll(() => seen.at(-1)).toBe(130);
  expect(seen).not.toContain(100);
});

test('a node that is not the leader takes appends, and sends a read away that asks for the leader', async () => {
  const leader = { host: '127.0.0.1', port: 9 };
  await stub.behave({ leader });
  expect(await outcomeOf(client.appendToStream('a', message(0)))).toBe('done');
  expect(await numbersIn(client, 'a')).toEqual([0]);
  const error = await eventsOf(client.readStream('a', { requiresLeader: true })).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(NotLeaderError);
  expect((error as NotLeaderError).leader).toEqual({ address: leader.host, port: leader.port });
});

test('a client that was sent to the leader reads there', async () => {
  const leader = await startStub();
  const atLeader = openClient(leader.url);
  await atLeader.appendToStream('a', message(7));
  await stub.behave({ leader: { host: '127.0.0.1', port: leader.port } });
  const read = () => eventsOf(client.readStream('a', { requiresLeader: true }));
  await expect.poll(() => outcomeOf(read())).toBe('done');
  expect(await numbersIn(client, 'a')).toEqual([7]);
  await atLeader.dispose();
  await leader.stop();
});

test('a client that was given several hosts finds the leader among them', async () => {
  const leader = await startStub();
  await stub.behave({ leader: { host: '127.0.0.1', port: leader.port } });
  const several = openClient(`esdb://127.0.0.1:${stub.port},127.0.0.1:${leader.port}?tls=false`);
  await several.appendToStream('a', message(1));
  expect(await outcomeOf(numbersIn(client, 'a'))).toBe('StreamNotFoundError');
  await several.dispose();
  await leader.stop();
});

test.each([
  ['not-ready', 'UnavailableError 14'],
  ['cut', 'UnavailableError 14'],
  ['reset', 'UnknownError 13'],
  ['late', 'done'],
] as const)('a read that is %s ends with %s', async (fault, outcome) => {
  await client.appendToStream('a', message(0));
  await stub.behave({ reads: [{ fault, oneIn: 1 }] });
  expect(await outcomeOf(numbersIn(client, 'a'))).toBe(outcome);
  await stub.heal();
  expect(await numbersIn(client, 'a')).toEqual([0]);
});

test('a read that is unanswered has no deadline of its own: it ends with the connection', async () => {
  await client.appendToStream('a', message(0));
  await stub.behave({ reads: [{ fault: 'unanswered', oneIn: 1 }] });
  let settled = false;
  const read = outcomeOf(eventsOf(client.readStream('a', { deadline: 1 }))).finally(() => (settled = true));
  await client.appendToStream('a', message(1));
  expect(settled).toBe(false);
  await stub.cutConnections();
  expect(await read).toBe('UnavailableError 14');
});
