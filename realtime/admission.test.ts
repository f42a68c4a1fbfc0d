import { request, type IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { once } from 'node:events';
import { networkOf } from './client-address.ts';
import { serveInProcess } from '../tests/in-process-server.ts';
import { signToken } from '../tests/tokens.ts';
import { WireClient } from '../tests/wire-client.ts';

let stack: AsyncDisposableStack;
beforeEach(() => (stack = new AsyncDisposableStack()));
afterEach(() => stack.disposeAsync());

interface Knock {
  readonly user?: string;
  readonly forwardedFor?: string;
}
const headersOf = ({ user = 'alice', forwardedFor }: Knock) => ({
  authorization: `Bearer ${signToken(user, 'phone')}`,
  ...(forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor }),
});

/** A request to upgrade that is refused. */
const refused = async (port: number, knock: Knock = {}): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const upgrade = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    };
    const asked = request({ port, path: '/v1/socket', headers: { ...upgrade, ...headersOf(knock) } });
    asked.on('response', resolve);
    asked.on('upgrade', () => reject(new Error('it was let in')));
    asked.on('error', reject);
    asked.end();
  });
const letIn = async (port: number, knock: Knock): Promise<WebSocket> => {
  const ws = new WebSocket(`ws://127.0.0.1:${port}/v1/socket`, { headers: headersOf(knock) });
  stack.defer(() => ws.terminate());
  await once(ws, 'open');
  return ws;
};

test('N8: one address has a bounded number of sockets; what a client writes into X-Forwarded-For changes nothing', async () => {
  const { port } = await serveInProcess(stack, {
    PARLEY_SOCKETS_PER_ADDRESS: '3',
    PARLEY_TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8, ::1',
  });
  const from = (client: string, forged = '203.0.113.9'): Knock => ({
    forwardedFor: `${forged}, ${client}, 10.1.2.3`,
  });
  const sockets = [];
  for (let i = 0; i < 3; i++) sockets.push(await letIn(port, from('198.51.100.7', `203.0.113.${i}`)));
  const answer = await refused(port, from('198.51.100.7'));
  expect(answer.statusCode).toBe(503);
  expect(await json(answer)).toMatchObject({ code: 'busy', limiter: 'sockets' });
  // Another address, and this machine itself, are not touched by it.
  await letIn(port, from('198.51.100.8'));
  for (let i = 0; i < 5; i++) stack.use(await WireClient.open(port, 'at home', `device-${i}`));
  // Who goes makes room.
  const [first] = sockets;
  first?.close();
  if (first !== undefined) await once(first, 'close');
  await letIn(port, from('198.51.100.7'));
});

test('N8: without trusted proxies the header counts for nothing', async () => {
  const { port } = await serveInProcess(stack, { PARLEY_SOCKETS_PER_ADDRESS: '1' });
  for (let i = 0; i < 3; i++) await letIn(port, { user: `user ${i}`, forwardedFor: '198.51.100.7' });
});

test('N6: more handshakes than a second allows are told to come back, each at another time, and the others are served', async () => {
  const { port } = await serveInProcess(stack, { PARLEY_HANDSHAKE_BURST: '5', PARLEY_HANDSHAKE_RATE: '1' });
  const [ann, ben] = [await WireClient.live(port, 'ann'), await WireClient.live(port, 'ben')];
  stack.use(ann);
  stack.use(ben);
  const knocks = Array.from({ length: 3 }, () => letIn(port, { user: 'storm' }));
  await Promise.all(knocks);
  const hints: number[] = [];
  for (let i = 0; i < 20; i++) {
    const answer = await refused(port, { user: 'storm' });
    expect(answer.statusCode).toBe(503);
    const problem = (await json(answer)) as { limiter: string; retryAfterMs: number };
    expect(problem.limiter).toBe('handshakes');
    hints.push(problem.retryAfterMs);
  }
  expect(Math.min(...hints)).toBeGreaterThanOrEqual(1_000);
  expect(new Set(hints).size).toBeGreaterThan(5);
  const { conversationId } = await ann.ask({ type: 'start-direct', with: { name: 'ben' } });
  ann.text(conversationId, 'meanwhile');
  await ben.next('message');
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8::1', '2001:db8:0:0'],
  ['2001:DB8:0001::9', '2001:db8:1:0'],
  ['::1', '0:0:0:0'],
  ['fe80::', 'fe80:0:0:0'],
])('the network of %s is %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});
