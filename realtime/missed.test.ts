import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Inbox } from '../projections/inbox.ts';
import type { ServerFrame } from '../schemas/frames.ts';
import { serveInProcess, type InProcessServer } from '../tests/in-process-server.ts';
import { asPort, serveSockets } from '../tests/sockets-under-test.ts';
import { WireClient } from '../tests/wire-client.ts';

const stack = new AsyncDisposableStack();
let server: InProcessServer;
beforeAll(async () => {
  server = await serveInProcess(stack, { PARLEY_RECENT_EVENTS: '16' });
});
afterAll(() => stack.disposeAsync());

let people = 0;
const name = (): string => `traveller ${people++}`;
const live = async (user: string, device = 'phone', cursor: string | null = null): Promise<WireClient> =>
  stack.use(await WireClient.live(server.port, user, device, cursor));
const userIdOf = (client: WireClient): string => client.of('welcome')[0]?.userId ?? '';

/** More than is kept in memory; then waits until the inbox has all of it. */
const timePasses = async (): Promise<void> => {
  const one = await live(name());
  const { conversationId } = await one.ask({ type: 'create-group', name: 'elsewhere', members: [] });
  for (let sent = 0; sent < 40; sent++) one.text(conversationId, 'time passes');
  await one.next('accepted', ({ seq }) => seq === 40);
  const head = server.eventLog.locate(server.eventLog.head());
  if (head.where !== 'known') throw new Error(head.where);
  await server.follower.waitFor(head.place, Infinity);
};
const told = ({ frames }: WireClient): readonly ServerFrame[] =>
  frames.filter(({ type }) => type !== 'welcome' && type !== 'synced');

test('M7: a device that was long away is told what there is now, in the order of the log, and not each step', async () => {
  const [a, b, c] = [name(), name(), name()];
  const [ann, bob, cat] = [await live(a), await live(b), await live(c)];
  const { conversationId } = await ann.ask({ type: 'create-group', name: 'Trip', members: [{ name: b }, { name: c }] });
  ann.text(conversationId, 'one');
  await bob.next('message');
  const { cursor } = await bob.next('synced');
  await bob.close();
  ann.text(conversationId, 'two');
  await ann.next('accepted', ({ seq }) => seq === 2);
  for (const text of ['a', 'b', 'the last']) {
    const content = { type: 'text', text };
    for (const seq of [1, 2]) await ann.ask({ type: 'edit', conversationId, seq, content });
  }
  ann.text(conversationId, 'three');
  await ann.next('accepted', ({ seq }) => seq === 3);
  await ann.ask({ type: 'delete', conversationId, seq: 3 });
  for (const text of ['Tour', 'Journey']) await ann.ask({ type: 'rename', conversationId, name: text });
  for (const read of [1, 2]) {
    cat.send({ type: 'mark', conversationId, read });
    await cat.next('marked');
  }
  const tablet = await live(b, 'tablet');
  await tablet.save({ type: 'change-chat-settings', conversationId, pinned: true });
  await timePasses();

  const again = await live(b, 'phone', cursor);
  const last = { type: 'text', text: 'the last' };
  const inGroup = { conversationId, by: userIdOf(ann) };
  expect(told(again)).toMatchObject([
    { type: 'chat-settings', conversationId, pinned: true },
    { type: 'message', ...inGroup, seq: 2, content: last },
    { type: 'edited', ...inGroup, seq: 1, content: last, version: 7 },
    { type: 'edited', ...inGroup, seq: 2, content: last, version: 8 },
    { type: 'message', ...inGroup, seq: 3, content: null },
    { type: 'deleted', ...inGroup, seq: 3, version: 9 },
    { type: 'conversation', conversationId, name: 'Journey', seq: 3, version: 11 },
    { type: 'receipts', conversationId, marks: [{ userId: userIdOf(cat), delivered: 2, read: 2 }] },
  ]);
  // It goes on live from there, and what it has is not told again.
  ann.text(conversationId, 'four');
  expect(await again.next('message', ({ seq }) => seq === 4)).toMatchObject({ content: { text: 'four' } });
  await timePasses();
  const { cursor: newest } = await again.next('synced', ({ caughtUp }) => caughtUp);
  await again.close();
  expect(told(await live(b, 'phone', newest))).toEqual([]);
});

test('I6: who was removed meanwhile hears that alone; who came back, what was said since; of a block, the seqs', async () => {
  const [a, b, c] = [name(), name(), name()];
  const [ann, bob, cat] = [await live(a), await live(b), await live(c)];
  const members = [{ name: b }, { name: c }];
  const { conversationId: left } = await ann.ask({ type: 'create-group', name: 'left', members });
  const { conversationId: back } = await ann.ask({ type: 'create-group', name: 'back', members });
  await bob.next('conversation', (frame) => frame.conversationId === back);
  const { cursor } = await bob.next('synced', ({ caughtUp }) => caughtUp);
  await bob.close();
  for (const id of [left, back]) {
    ann.text(id, 'not for long');
    await ann.next('accepted', (frame) => frame.conversationId === id && frame.seq === 1);
    await ann.ask({ type: 'remove-member', conversationId: id, user: { name: b } });
  }
  await ann.ask({ type: 'add-member', conversationId: back, user: { name: b } });
  ann.text(back, 'since');
  await cat.next('message', (frame) => frame.conversationId === back && frame.seq === 2);
  cat.text(back, 'from somebody blocked');
  await ann.next('message', (frame) => frame.conversationId === back && frame.seq === 3);
  const tablet = await live(b, 'tablet');
  await tablet.save({ type: 'block', user: { name: c } });
  await timePasses();

  const again = await live(b, 'phone', cursor);
  expect(told(again)).toMatchObject([
    { type: 'blocked', userId: userIdOf(cat) },
    { type: 'member-removed', conversationId: left, userId: userIdOf(bob), by: userIdOf(ann) },
    { type: 'conversation', conversationId: back, visibleFrom: 1 },
    { type: 'message', conversationId: back, seq: 2, content: { text: 'since' } },
    { type: 'message', conversationId: back, seq: 3, content: null, hidden: true },
  ]);
  expect(again.frames.at(-1)).toMatchObject({ type: 'synced', caughtUp: true });
});

test('an inbox that cannot be read, says nothing or lags costs a device nothing: the log tells it', async () => {
  const answers: Inbox['missedAfter'][] = [
    () => Promise.reject(new Error('away')),
    () => Promise.resolve(undefined),
    (_, place) => Promise.resolve({ items: [], through: place, isLast: true }),
  ];
  for (const missedAfter of answers) {
    await using own = new AsyncDisposableStack();
    const sockets = await serveSockets(own, {
      missedAfter,
      log: (log) => ({ ...asPort(log), isRecent: () => false }),
    });
    const ann = own.use(await WireClient.live(sockets.port, 'ann'));
    const { conversationId } = await ann.ask({ type: 'create-group', name: 'g', members: [] });
    for (const text of ['one', 'two']) ann.text(conversationId, text);
    await ann.next('accepted', ({ seq }) => seq === 2);
    const tablet = own.use(await WireClient.live(sockets.port, 'ann', 'tablet'));
    expect(tablet.of('message').map(({ seq }) => seq)).toEqual([1, 2]);
    expect(sockets.warnings.length > 0).toBe(missedAfter === answers[0]);
  }
});
