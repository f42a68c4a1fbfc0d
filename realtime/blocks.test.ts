import { afterAll, beforeAll, expect, test } from 'vitest';
import { serveInProcess, type InProcessServer } from '../tests/in-process-server.ts';
import { WireClient, newId } from '../tests/wire-client.ts';

const stack = new AsyncDisposableStack();
let server: InProcessServer;
beforeAll(async () => {
  server = await serveInProcess(stack);
});
afterAll(() => stack.disposeAsync());

let people = 0;
const name = (): string => `blocker ${people++}`;
const live = async (user: string, device = 'phone', cursor: string | null = null): Promise<WireClient> =>
  stack.use(await WireClient.live(server.port, user, device, cursor));

const chat = async () => {
  const [a, b] = [name(), name()];
  const [ann, bob] = [await live(a), await live(b)];
  const { conversationId } = await ann.ask({ type: 'start-direct', with: { name: b } });
  await bob.next('conversation');
  return { a, b, ann, bob, conversationId };
};
const text = (words: string) => ({ type: 'text', text: words });
/** What each message says to the client: its seq, and its text or that it is hidden. */
const said = (client: WireClient): unknown[] =>
  client.of('message').map(({ seq, content, hidden }) => [seq, hidden ?? (content?.type === 'text' && content.text)]);

test('S5: while blocked, messages come as placeholders with their seq; to the sender nothing shows it; after unblocking they come whole', async () => {
  const { a, b, ann, bob, conversationId } = await chat();
  ann.text(conversationId, 'one');
  await bob.next('message');
  await bob.save({ type: 'block', user: { name: a } });
  const laptop = await live(b, 'laptop');
  const messageId = newId();
  ann.text(conversationId, 'two', messageId);
  const answer = await ann.next('accepted', (frame) => frame.messageId === messageId);
  for (const device of [bob, laptop]) {
    const frame = await device.next('message', ({ seq }) => seq === 2);
    expect(frame).toEqual({
      type: 'message',
      conversationId,
      seq: 2,
      messageId,
      by: frame.by,
      time: answer.time,
      content: null,
      hidden: true,
    });
  }
  await ann.ask({ type: 'edit', conversationId, seq: 2, content: text('more') });
  expect(await bob.next('edited')).toMatchObject({ seq: 2, content: null, hidden: true });
  bob.text(conversationId, 'three');
  expect(await ann.next('message')).toMatchObject({ seq: 3, content: text('three') });
  await bob.save({ type: 'unblock', user: { name: a } });
  ann.text(conversationId, 'four');
  expect(await bob.next('message', ({ seq }) => seq === 4)).toMatchObject({ content: text('four') });
  expect(said(bob)).toEqual([
    [1, 'one'],
    [2, true],
    [4, 'four'],
  ]);
  // What the sender saw is what any conversation shows.
  expect(new Set(ann.frames.map(({ type }) => type))).toEqual(
    new Set(['welcome', 'synced', 'conversation', 'accepted', 'message', 'edited']),
  );
});

test('S5, I3: a resume goes by the list as it is now: hidden while blocked, whole again once unblocked, and never a hole', async () => {
  const { a, b, ann, bob, conversationId } = await chat();
  const { cursor } = await bob.next('synced');
  await bob.close();
  ann.text(conversationId, 'one');
  await ann.next('accepted', ({ seq }) => seq === 1);
  const tablet = await live(b, 'tablet');
  await tablet.save({ type: 'block', user: { name: a } });
  ann.text(conversationId, 'two');
  await ann.next('accepted', ({ seq }) => seq === 2);
  await tablet.close();
  const hidden = [
    [1, true],
    [2, true],
  ];
  for (const from of [cursor, null]) expect(said(await live(b, 'phone', from))).toEqual(hidden);
  await (await live(b, 'desk')).save({ type: 'unblock', user: { name: a } });
  const whole = [
    [1, 'one'],
    [2, 'two'],
  ];
  for (const from of [cursor, null]) expect(said(await live(b, 'phone', from))).toEqual(whole);
});

test('S5: in a group only the blocker gets placeholders, and only of the messages of the one it blocks', async () => {
  const [a, b, c] = [name(), name(), name()];
  const [ann, bob, cat] = [await live(a), await live(b), await live(c)];
  const members = [{ name: b }, { name: c }];
  const { conversationId } = await ann.ask({ type: 'create-group', name: 'Trip', members });
  await bob.save({ type: 'block', user: { name: a } });
  ann.text(conversationId, 'from ann');
  await cat.next('message');
  cat.text(conversationId, 'from cat');
  await bob.next('message', ({ seq }) => seq === 2);
  await ann.ask({ type: 'rename', conversationId, name: 'Journey' });
  await ann.ask({ type: 'delete', conversationId, seq: 1 });
  expect(await bob.next('renamed')).toMatchObject({ name: 'Journey' });
  expect(await bob.next('deleted')).toMatchObject({ seq: 1 });
  expect(said(bob)).toEqual([
    [1, true],
    [2, 'from cat'],
  ]);
  expect(said(cat)).toEqual([[1, 'from ann']]);
});
