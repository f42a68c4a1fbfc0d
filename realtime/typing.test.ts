import { afterAll, beforeAll, expect, test } from 'vitest';
import { presenceStream } from '../schemas/streams.ts';
import { userId } from '../schemas/ids.ts';
import { serveInProcess, type InProcessServer } from '../tests/in-process-server.ts';
import { WireClient } from '../tests/wire-client.ts';

const stack = new AsyncDisposableStack();
let server: InProcessServer;
beforeAll(async () => {
  server = await serveInProcess(stack, { PARLEY_PRESENCE_MEMBERS: '3' });
});
afterAll(() => stack.disposeAsync());

let people = 0;
const name = (): string => `typist ${people++}`;
const live = async (user: string, device = 'phone'): Promise<WireClient> =>
  stack.use(await WireClient.live(server.port, user, device));
const userIdOf = (client: WireClient): string => client.of('welcome')[0]?.userId ?? '';
/** Everything the client said before was handled. */
const settled = async (client: WireClient): Promise<void> => {
  client.send({ type: 'ping' });
  await client.next('pong');
};

test('F43: typing shows on every device of the other members, on none of the one who types, and is not in the log', async () => {
  const [a, b] = [name(), name()];
  const [ann, bob] = [await live(a), await live(b)];
  const [laptop, tablet] = [await live(a, 'laptop'), await live(b, 'tablet')];
  const { conversationId } = await ann.ask({ type: 'start-direct', with: { name: b } });
  await bob.next('conversation');
  const before = server.eventLog.head();
  ann.send({ type: 'typing', conversationId });
  for (const device of [bob, tablet]) {
    expect(await device.next('typing')).toEqual({ type: 'typing', conversationId, by: userIdOf(ann) });
  }
  await Promise.all([settled(ann), settled(laptop)]);
  expect([ann.of('typing'), laptop.of('typing')]).toEqual([[], []]);
  const between = await server.eventLog.readStream(presenceStream(userId.parse(userIdOf(ann))), 0, 'forwards', 9);
  expect(between.every(({ event }) => event?.type === 'came-online')).toBe(true);
  expect(server.eventLog.head().log).toBe(before.log);
});

test('S4, S5: strangers, who was removed, and whom one blocks type for nobody; nothing is answered', async () => {
  const [a, b, c] = [name(), name(), name()];
  const [ann, bob, cat] = [await live(a), await live(b), await live(c)];
  const stranger = await live(name());
  const { conversationId } = await ann.ask({
    type: 'create-group',
    name: 'Trip',
    members: [{ name: b }, { name: c }],
  });
  await cat.next('conversation');
  await ann.ask({ type: 'remove-member', conversationId, user: userIdOf(cat) });
  await bob.save({ type: 'block', user: { name: a } });
  for (const one of [ann, stranger, cat]) {
    one.send({ type: 'typing', conversationId });
    one.send({ type: 'typing', conversationId: 'A'.repeat(22) });
    await settled(one);
    expect(one.of('error')).toEqual([]);
  }
  bob.send({ type: 'typing', conversationId });
  expect(await ann.next('typing')).toMatchObject({ by: userIdOf(bob) });
  await Promise.all([settled(bob), settled(cat)]);
  expect([...bob.of('typing'), ...cat.of('typing')]).toEqual([]);
  expect(ann.of('typing')).toHaveLength(1);
});

test('F42, S15: in big groups nobody is told who types, and a flood of it is cut down', async () => {
  const names = [name(), name(), name(), name()];
  const [ann, bob] = await Promise.all(names.map((one) => live(one)));
  if (!ann || !bob) throw new Error('two');
  const members = names.slice(1).map((one) => ({ name: one }));
  const big = await ann.ask({ type: 'create-group', name: 'Crowd', members });
  const small = await ann.ask({ type: 'start-direct', with: { name: names[1] } });
  for (let times = 0; times < 500; times++) {
    ann.send({ type: 'typing', conversationId: small.conversationId });
    ann.send({ type: 'typing', conversationId: big.conversationId });
    if (times % 50 === 0) await settled(ann);
  }
  ann.text(small.conversationId, 'the end');
  await bob.next('message');
  const shown = bob.of('typing');
  expect(shown.length).toBeGreaterThan(0);
  expect(shown.length).toBeLessThan(60);
  expect(new Set(shown.map(({ conversationId }) => conversationId))).toEqual(new Set([small.conversationId]));
});
