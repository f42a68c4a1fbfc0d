import { afterAll, beforeAll, expect, test } from 'vitest';
import { serveInProcess, type InProcessServer } from '../tests/in-process-server.ts';
import { WireClient, newId } from '../tests/wire-client.ts';

const stack = new AsyncDisposableStack();
let server: InProcessServer;
beforeAll(async () => {
  server = await serveInProcess(stack, { PARLEY_RECEIPTS_MEMBERS: '3' });
});
afterAll(() => stack.disposeAsync());

let people = 0;
const name = (): string => `reader ${people++}`;
const live = async (user: string, device = 'phone', cursor: string | null = null): Promise<WireClient> =>
  stack.use(await WireClient.live(server.port, user, device, cursor));
const userIdOf = (client: WireClient): string => client.of('welcome')[0]?.userId ?? '';
/** Every mark that came, in order: whose, and where it stands. */
const marksOf = (client: WireClient) =>
  client
    .of('receipts')
    .flatMap(({ marks }) => marks.map(({ userId, delivered, read }) => [userId, delivered, read] as const));

const chat = async () => {
  const [a, b] = [name(), name()];
  const [ann, bob] = [await live(a), await live(b)];
  const { conversationId } = await ann.ask({ type: 'start-direct', with: { name: b } });
  ann.text(conversationId, 'one');
  await bob.next('message');
  return { a, b, ann, bob, conversationId, bobId: userIdOf(bob) };
};

test('F24: the sender sees delivered, then read, each with its time, on every device; so do the reader’s other devices', async () => {
  const { a, b, ann, bob, conversationId, bobId } = await chat();
  const [laptop, tablet] = [await live(a, 'laptop'), await live(b, 'tablet')];
  for (const mark of [{ delivered: 1 }, { read: 1 }]) {
    bob.send({ type: 'mark', conversationId, ...mark });
    const { time, delivered, read } = await bob.next('marked');
    for (const device of [ann, laptop, tablet]) {
      expect(await device.next('receipts')).toEqual({
        type: 'receipts',
        conversationId,
        marks: [{ userId: bobId, delivered, read }],
        time,
      });
    }
  }
});

test('I8, M2: marks that come twice, late or lower show nothing to anybody', async () => {
  const { ann, bob, conversationId, bobId } = await chat();
  for (const text of ['two', 'three']) ann.text(conversationId, text);
  await bob.next('message', ({ seq }) => seq === 3);
  for (const mark of [{ read: 3 }, { read: 3 }, { delivered: 1 }, { read: 2 }, { delivered: 3 }]) {
    bob.send({ type: 'mark', conversationId, ...mark });
    await bob.next('marked');
  }
  bob.text(conversationId, 'the end');
  await ann.next('message', ({ seq }) => seq === 4);
  expect(marksOf(ann)).toEqual([[bobId, 3, 3]]);
});

test('F26: the marks of a group come together or apart; of what a member may not see it hears nothing', async () => {
  const [a, b, c] = [name(), name(), name()];
  const [ann, bob, cat] = [await live(a), await live(b), await live(c)];
  const { conversationId } = await ann.ask({ type: 'create-group', name: 'Trip', members: [{ name: b }] });
  ann.text(conversationId, 'one');
  await bob.next('message');
  await ann.ask({ type: 'add-member', conversationId, user: { name: c } });
  await cat.next('conversation');
  bob.send({ type: 'mark', conversationId, read: 1 });
  await ann.next('receipts');
  ann.text(conversationId, 'two');
  for (const one of [bob, cat]) {
    await one.next('message', ({ seq }) => seq === 2);
    one.send({ type: 'mark', conversationId, read: 2 });
    await one.next('marked');
  }
  ann.text(conversationId, 'the end');
  await cat.next('message', ({ seq }) => seq === 3);
  const [bobId, catId] = [userIdOf(bob), userIdOf(cat)];
  expect(marksOf(ann)).toEqual([
    [bobId, 1, 1],
    [bobId, 2, 2],
    [catId, 2, 2],
  ]);
  expect(marksOf(cat)).toEqual([
    [bobId, 2, 2],
    [catId, 2, 2],
  ]);
});

test('F12: in a group above the threshold everybody sees only its own marks', async () => {
  const names = [name(), name(), name(), name()];
  const [ann, bob, cat] = await Promise.all(names.map((one) => live(one)));
  if (!ann || !bob || !cat) throw new Error('three');
  const tablet = await live(names[1] ?? '', 'tablet');
  const members = names.slice(1).map((one) => ({ name: one }));
  const { conversationId } = await ann.ask({ type: 'create-group', name: 'Crowd', members });
  ann.text(conversationId, 'one');
  await Promise.all([bob.next('message'), cat.next('message')]);
  bob.send({ type: 'mark', conversationId, read: 1 });
  expect(await tablet.next('receipts')).toMatchObject({ marks: [{ userId: userIdOf(bob) }] });
  bob.text(conversationId, 'the end');
  await Promise.all([ann, cat].map((one) => one.next('message', ({ seq }) => seq === 2)));
  expect([marksOf(ann), marksOf(cat)]).toEqual([[], []]);
});

test('I8: a device that comes back is told where the marks stand, and not each step', async () => {
  const { a, ann, bob, conversationId, bobId } = await chat();
  await ann.close();
  const sender = await live(a, 'laptop');
  for (let seq = 1; seq <= 20; seq++) {
    bob.send({ type: 'mark', conversationId, read: seq });
    await bob.next('marked');
    sender.text(conversationId, 'next');
    await bob.next('message', (frame) => frame.seq === seq + 1);
  }
  expect(marksOf(await live(a, 'phone'))).toEqual([[bobId, 20, 20]]);
});

test('S5: whom one blocks sees no mark of it in their chat, and it is answered as ever; after unblocking they go on', async () => {
  const { a, ann, bob, conversationId, bobId } = await chat();
  bob.send({ type: 'mark', conversationId, delivered: 1 });
  await bob.next('marked');
  await bob.save({ type: 'block', user: { name: a } });
  ann.text(conversationId, 'two');
  await bob.next('message', ({ seq }) => seq === 2);
  for (const mark of [{ delivered: 2 }, { read: 2 }]) {
    bob.send({ type: 'mark', conversationId, ...mark });
    expect(await bob.next('marked')).toMatchObject({ delivered: 1, read: 0 });
  }
  await bob.save({ type: 'unblock', user: { name: a } });
  bob.send({ type: 'mark', conversationId, read: 2 });
  await ann.next('receipts', ({ marks }) => marks.some(({ read }) => read === 2));
  expect(marksOf(ann)).toEqual([
    [bobId, 1, 0],
    [bobId, 2, 2],
  ]);
});

test('F24: a flood of delivered marks becomes one a second, each answered; a read mark waits for nothing', async () => {
  const { ann, bob, conversationId, bobId } = await chat();
  for (let seq = 2; seq <= 40; seq++) ann.text(conversationId, 'next');
  await bob.next('message', ({ seq }) => seq === 40);
  for (let delivered = 1; delivered <= 40; delivered++) bob.send({ type: 'mark', conversationId, delivered });
  for (let answers = 0; answers < 40; answers++) await bob.next('marked');
  await ann.next('receipts', ({ marks }) => marks[0]?.delivered === 40);
  expect(marksOf(ann)).toEqual([
    [bobId, 1, 0],
    [bobId, 40, 0],
  ]);
  for (const text of ['one', 'more']) ann.text(conversationId, text);
  await bob.next('message', ({ seq }) => seq === 42);
  bob.send({ type: 'mark', conversationId, delivered: 41 });
  bob.send({ type: 'mark', conversationId, read: 42 });
  const answers = [await bob.next('marked'), await bob.next('marked')];
  expect(answers.map(({ read }) => read)).toEqual([42, 42]);
});

test('F29, M8: settings, blocks and the profile reach the user’s other devices, live and on a resume, and nobody else', async () => {
  const { a, b, ann, bob, conversationId, bobId } = await chat();
  const laptop = await live(a, 'laptop');
  await ann.save({ type: 'change-chat-settings', conversationId, pinned: true, archived: true });
  await ann.save({ type: 'block', user: { name: b } });
  await ann.save({ type: 'unblock', user: { name: b } });
  await ann.save({ type: 'change-profile', displayName: 'Ann' });
  const expected = [
    { type: 'chat-settings', conversationId, mutedUntil: 0, pinned: true, archivedAt: 1 },
    { type: 'blocked', userId: bobId },
    { type: 'unblocked', userId: bobId },
    { type: 'profile', displayName: 'Ann', statusText: null },
  ];
  const own = (client: WireClient) =>
    client.frames.filter(({ type }) => ['chat-settings', 'blocked', 'unblocked', 'profile'].includes(type));
  await laptop.next('profile');
  const resumed = await live(a, 'tablet');
  for (const device of [laptop, resumed]) {
    expect(own(device)).toMatchObject(expected);
    const versions = own(device).map((frame) => ('version' in frame ? frame.version : 0));
    expect(versions).toEqual(versions.toSorted((one, other) => one - other));
  }
  const messageId = newId();
  ann.text(conversationId, 'the end', messageId);
  await bob.next('message', (frame) => frame.messageId === messageId);
  expect(own(bob)).toEqual([]);
});
