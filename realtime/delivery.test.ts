import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ServerFrame } from '../schemas/frames.ts';
import { serveInProcess, type InProcessServer } from '../tests/in-process-server.ts';
import { WireClient, newId } from '../tests/wire-client.ts';

const stack = new AsyncDisposableStack();
let server: InProcessServer;
beforeAll(async () => {
  server = await serveInProcess(stack);
});
afterAll(() => stack.disposeAsync());

let people = 0;
/** Nobody else's name, so that tests do not meet. */
const name = (): string => `person ${people++}`;
const live = async (user = name(), device = 'phone'): Promise<WireClient & { readonly name: string }> => {
  const client = await WireClient.live(server.port, user, device);
  stack.use(client);
  return Object.assign(client, { name: user });
};
const sortedTypes = (frames: readonly ServerFrame[]): string[] => frames.map(({ type }) => type).toSorted();

test('a message is accepted for its sender, and comes as a message to the other and to the sender’s other device', async () => {
  const [alice, bob] = [await live(), await live()];
  const laptop = await live(alice.name, 'laptop');
  const { conversationId } = await alice.ask({ type: 'start-direct', with: { name: bob.name } });
  const messageId = newId();
  alice.text(conversationId, 'hello', messageId);
  const accepted = await alice.next('accepted', (frame) => frame.messageId === messageId);
  for (const device of [bob, laptop]) {
    const message = await device.next('message');
    const { seq, time } = accepted;
    expect(message).toMatchObject({ conversationId, seq, time, messageId, content: { type: 'text', text: 'hello' } });
  }
  bob.text(conversationId, 'hi');
  expect(await alice.next('message')).toMatchObject({ seq: 2 });
  expect(alice.of('message')).toHaveLength(1);
});

test('a group: everybody gets it whole, then its changes with rising versions; who comes later gets it as it is', async () => {
  const [ann, ben, cat, dan] = [await live(), await live(), await live(), await live()];
  const members = [{ name: ben.name }, { name: cat.name }];
  const { conversationId } = await ann.ask({ type: 'create-group', name: 'Trip', members });
  for (const one of [ann, ben, cat]) {
    expect(await one.next('conversation')).toMatchObject({ conversationId, kind: 'group', seq: 0, visibleFrom: 0 });
    expect(await one.next('renamed')).toMatchObject({ conversationId, name: 'Trip' });
  }
  ben.text(conversationId, 'one');
  await cat.next('message');
  await ann.ask({ type: 'rename', conversationId, name: 'Journey' });
  await ann.ask({ type: 'add-member', conversationId, user: { name: dan.name } });
  const whole = await dan.next('conversation');
  expect(whole).toMatchObject({ name: 'Journey', seq: 1, visibleFrom: 1 });
  expect(whole.members.map(({ role }) => role)).toEqual(['admin', 'member', 'member', 'member']);
  expect(await cat.next('member-added')).toMatchObject({ version: whole.version, role: 'member' });
  await ben.ask({ type: 'edit', conversationId, seq: 1, content: { type: 'text', text: 'One' } });
  expect(await cat.next('edited')).toMatchObject({ seq: 1, version: whole.version + 1 });
  await ben.ask({ type: 'delete', conversationId, seq: 1 });
  expect(await cat.next('deleted')).toMatchObject({ seq: 1, version: whole.version + 2 });
  await cat.ask({ type: 'leave', conversationId });
  expect(await ben.next('member-left')).toMatchObject({ version: whole.version + 3 });
  await dan.next('member-left');
  // What lies before it was never dan's: neither the message nor its changes.
  expect(sortedTypes(dan.frames.filter(({ type }) => type !== 'synced'))).toEqual([
    'conversation',
    'member-left',
    'welcome',
  ]);
});

test('I6: who is removed hears that and nothing more, live or after a resume; who is added again begins anew', async () => {
  const [ann, ben, cat] = [await live(), await live(), await live()];
  const members = [{ name: ben.name }, { name: cat.name }];
  const { conversationId } = await ann.ask({ type: 'create-group', name: 'Trip', members });
  ann.text(conversationId, 'before');
  const { by: annId } = await cat.next('message');
  const catId = ann.of('conversation')[0]?.members.at(-1)?.userId;
  await ann.ask({ type: 'remove-member', conversationId, user: catId });
  expect(await cat.next('member-removed')).toMatchObject({ userId: catId, by: annId });
  ann.text(conversationId, 'behind the back');
  await ben.next('message', ({ seq }) => seq === 2);
  const gone = await WireClient.live(server.port, cat.name, 'tablet');
  stack.use(gone);
  expect(sortedTypes(gone.frames)).toEqual(['member-removed', 'synced', 'welcome']);

  await ann.ask({ type: 'add-member', conversationId, user: catId });
  expect(await cat.next('conversation')).toMatchObject({ visibleFrom: 2, seq: 2 });
  ann.text(conversationId, 'welcome back');
  expect(await cat.next('message')).toMatchObject({ seq: 3 });
  expect(cat.of('message').map(({ seq }) => seq)).toEqual([1, 3]);
  const again = await WireClient.live(server.port, cat.name, 'watch');
  stack.use(again);
  expect(again.of('message').map(({ seq }) => seq)).toEqual([3]);
});

test('a message sent twice at once on one socket is one message, with one accepted for each', async () => {
  const [alice, bob] = [await live(), await live()];
  const { conversationId } = await alice.ask({ type: 'start-direct', with: { name: bob.name } });
  const messageId = newId();
  for (let i = 0; i < 20; i++) alice.text(conversationId, 'once', messageId);
  bob.text(conversationId, 'after');
  await alice.next('message', ({ seq }) => seq === 2 || seq === 1);
  await alice.ask({ type: 'delete', conversationId, seq: 1 }).catch(() => undefined);
  const answers = alice.of('accepted').filter((frame) => frame.messageId === messageId);
  expect(answers).toHaveLength(20);
  expect(new Set(answers.map(({ seq, chain }) => `${seq} ${chain}`)).size).toBe(1);
  expect(alice.of('message')).toHaveLength(1);
});

test('a socket that sends a thousand messages at once gets a thousand answers, in order, and the peer every message', async () => {
  const [alice, bob] = [await live(), await live()];
  const { conversationId } = await alice.ask({ type: 'start-direct', with: { name: bob.name } });
  const ids = Array.from({ length: 1_000 }, newId);
  for (const id of ids) alice.text(conversationId, id, id);
  await bob.next('message', ({ seq }) => seq === ids.length);
  await alice.answerTo(ids.at(-1) ?? '');
  expect(alice.of('accepted').flatMap(({ messageId }) => messageId ?? [])).toEqual(ids);
  expect(bob.of('message').map(({ messageId }) => messageId)).toEqual(ids);
  expect(alice.of('message')).toEqual([]);
});
