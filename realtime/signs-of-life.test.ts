import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { PresenceLeases } from './presence-leases.ts';
import { serveSockets, type SocketsUnderTest } from '../tests/sockets-under-test.ts';
import { signToken } from '../tests/tokens.ts';
import { WireClient } from '../tests/wire-client.ts';

let stack: AsyncDisposableStack;
beforeEach(() => (stack = new AsyncDisposableStack()));
afterEach(() => stack.disposeAsync());

/** A peer at the other end of a dead line: it takes everything and answers nothing, not even a ping. */
const halfOpen = async (port: number): Promise<WebSocket> => {
  const ws = new WebSocket(`ws://127.0.0.1:${port}/v1/socket`, {
    headers: { authorization: `Bearer ${signToken('half open', 'phone')}` },
    autoPong: false,
  });
  stack.defer(() => ws.terminate());
  await once(ws, 'open');
  return ws;
};
const seconds = ({ tick }: SocketsUnderTest, count: number): void => {
  for (let second = 0; second < count; second++) tick();
};

test('N1: a peer that gives no sign of life for 60 s is cut off; one that answers pings, or sends, is not', async () => {
  const sockets = await serveSockets(stack);
  const dead = await halfOpen(sockets.port);
  const [answers, sends] = [await WireClient.open(sockets.port, 'answers'), await halfOpen(sockets.port)];
  stack.use(answers);
  const cut = once(dead, 'close');
  for (let half = 0; half < 2; half++) {
    const pinged = once(answers.ws, 'ping');
    seconds(sockets, 30);
    await pinged;
    // What follows the pong on the wire is answered after it was heard.
    answers.send({ type: 'ping' });
    sends.send(JSON.stringify({ type: 'ping' }));
    await Promise.all([answers.next('pong'), once(sends, 'message')]);
    expect(dead.readyState).toBe(half === 0 ? WebSocket.OPEN : dead.readyState);
  }
  await cut;
  expect([answers.ws.readyState, sends.readyState]).toEqual([WebSocket.OPEN, WebSocket.OPEN]);
  expect(sockets.realtime.notReady()).toBeUndefined();
});

const never = new Promise<never>(() => undefined);
const away = (): Promise<never> => Promise.reject(new Error('the leases are away'));
test.each([
  ['fail', away],
  ['never answer', () => never],
])('D12: while the leases %s, chats go on as ever', async (_what, answer) => {
  const leases: PresenceLeases = { renew: answer, release: answer, present: answer, takeLapsed: answer };
  const sockets = await serveSockets(stack, { leases: () => leases });
  const { port, warnings } = sockets;
  const [ann, ben] = [await WireClient.live(port, 'ann'), await WireClient.live(port, 'ben')];
  stack.use(ann);
  stack.use(ben);
  const { conversationId } = await ann.ask({ type: 'start-direct', with: { name: 'ben' } });
  for (const text of ['one', 'two', 'three']) {
    seconds(sockets, 30);
    ann.text(conversationId, text);
    await ben.next('message', ({ content }) => content?.type === 'text' && content.text === text);
    ann.send({ type: 'subscribe-presence', users: [ann.of('welcome')[0]?.userId ?? ''] });
    expect(await ann.next('error')).toMatchObject({ code: 'read_model_behind' });
  }
  ann.send({ type: 'sign-out', commandId: '01a20000-0000-7000-8000-000000000001' });
  expect((await ann.ended).code).toBe(4401);
  // Said once, however often it fails.
  expect(warnings.length).toBeLessThanOrEqual(1);
});
