import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { commandId, deviceId, newEventId } from '../schemas/ids.ts';
import { userStream } from '../schemas/streams.ts';
import { serveInProcess, type InProcessServer } from '../tests/in-process-server.ts';
import { signToken } from '../tests/tokens.ts';
import { newId, WireClient } from '../tests/wire-client.ts';

const stack = new AsyncDisposableStack();
let server: InProcessServer;
beforeAll(async () => {
  server = await serveInProcess(stack, { PARLEY_ALLOWED_ORIGINS: 'https://chat.example' });
});
afterAll(() => stack.disposeAsync());

const asWebSocket = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
};

/** What a request to upgrade is answered with. */
const knock = async (
  headers: Readonly<Record<string, string>>,
  { path = '/v1/socket', method = 'GET', port = server.port } = {},
): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const asked = request({ port, path, method, headers: { ...asWebSocket, ...headers } });
    asked.on('response', resolve);
    asked.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(response);
    });
    asked.on('error', reject);
    asked.end();
  });

const bearer = (token = signToken('alice', 'phone')): { authorization: string } => ({
  authorization: `Bearer ${token}`,
});
const alive = signToken('alice', 'phone');
const dead = signToken('alice', 'phone', -1);

describe('S7: refused before the upgrade, by plain HTTP with a problem document', () => {
  test.each([
    ['no token', 401, 'unauthenticated', {}, {}],
    ['a token that is none', 401, 'unauthenticated', { authorization: 'Bearer nonsense' }, {}],
    ['a dead token', 401, 'unauthenticated', { authorization: `Bearer ${dead}` }, {}],
    ['two tokens', 401, 'unauthenticated', { ...bearer(), 'sec-websocket-protocol': `parley.v1, bearer.${alive}` }, {}],
    ['a token without the protocol', 401, 'unauthenticated', { 'sec-websocket-protocol': `bearer.${alive}` }, {}],
    ['a cookie', 401, 'unauthenticated', { cookie: `token=${alive}` }, {}],
    ['a token in the query', 400, 'invalid', {}, { path: `/v1/socket?token=${alive}` }],
    ['a good token and a query', 400, 'invalid', bearer(), { path: '/v1/socket?a=b' }],
    ['a foreign origin', 403, 'origin_not_allowed', { ...bearer(), origin: 'https://evil.example' }, {}],
    ['no origin a page can have', 403, 'origin_not_allowed', { ...bearer(), origin: 'null' }, {}],
    ['an origin that ends like ours', 403, 'origin_not_allowed', { ...bearer(), origin: 'https://x.chat.example' }, {}],
    [
      'an origin that begins like ours',
      403,
      'origin_not_allowed',
      { ...bearer(), origin: 'https://chat.example.evil' },
      {},
    ],
    ['another address', 404, 'route_not_found', bearer(), { path: '/v1/sockets' }],
    ['another method', 400, 'invalid', bearer(), { method: 'POST' }],
  ] as const)('%s', async (_what, status, code, headers, options) => {
    const response = await knock(headers, options);
    expect(response.statusCode).toBe(status);
    expect(response.headers['content-type']).toBe('application/problem+json');
    expect(await json(response)).toMatchObject({ status, code });
  });
});

test('S7: the connection of a refusal is gone, also for a peer that never closes its own half', async () => {
  const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  // That it was reset shows in the close.
  socket.on('error', () => undefined);
  socket.write(
    'GET /v1/socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  socket.resume();
  await once(socket, 'end');
  // Who is still there would take it.
  while (!socket.destroyed) {
    socket.write('x');
    await new Promise((resolve) => setImmediate(resolve));
  }
  await closed;
});

test('one user has a bounded number of sockets, and others are not touched by it', async () => {
  const all = Array.from({ length: 50 }, (_, i) => WireClient.open(server.port, 'hoarder', `device-${i}`));
  for (const client of await Promise.all(all)) stack.use(client);
  const refused = await knock(bearer(signToken('hoarder', 'one-more')));
  expect(refused.statusCode).toBe(503);
  expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(60);
  expect(await json(refused)).toMatchObject({ code: 'busy', limiter: 'sockets' });
  stack.use(await WireClient.open(server.port, 'somebody else'));
});

test('a header or, for browsers, a subprotocol carries the token; an allowed origin may connect', async () => {
  const byHeader = await knock({ ...bearer(), origin: 'https://chat.example' });
  expect(byHeader.statusCode).toBe(101);
  expect(byHeader.headers['sec-websocket-protocol']).toBeUndefined();
  const byProtocol = await knock({ 'sec-websocket-protocol': `parley.v1, bearer.${alive}` });
  expect(byProtocol.statusCode).toBe(101);
  expect(byProtocol.headers['sec-websocket-protocol']).toBe('parley.v1');
  expect(byProtocol.headers['sec-websocket-extensions']).toBeUndefined();
});

test('another upgrade than to WebSocket is answered as the request it is', async () => {
  const response = await knock({ upgrade: 'h2c' }, { path: '/livez' });
  expect(response.statusCode).toBe(200);
});

test('the first handshake registers its user, once', async () => {
  const [one, two] = await Promise.all([
    WireClient.open(server.port, 'newcomer', 'phone'),
    WireClient.open(server.port, 'newcomer', 'laptop'),
  ]);
  const [{ userId } = { userId: '' }] = one.of('welcome');
  expect(two.of('welcome')).toMatchObject([{ userId, deviceId: 'laptop', protocol: 1 }]);
  const friend = stack.use(await WireClient.live(server.port, 'friend'));
  const unknown = { type: 'start-direct', commandId: newId(), with: { name: 'nobody yet' } };
  friend.send(unknown);
  expect(await friend.answerTo(unknown.commandId)).toMatchObject({ type: 'rejected', code: 'user_not_found' });
  await friend.ask({ type: 'start-direct', with: userId });
  await Promise.all([one.close(), two.close()]);
});

test('a socket ends with its token, unless a frame brought a new one of the same user and device', async () => {
  const { port, clock } = await serveInProcess(stack);
  const open = (user: string): Promise<WireClient> =>
    WireClient.open(port, user, 'phone', signToken(user, 'phone', 1)).then((client) => stack.use(client));
  const [forgetful, renewed, wrong] = [await open('forgetful'), await open('renewed'), await open('wrong')];
  renewed.send({ type: 'renew', token: signToken('renewed', 'phone', 3) });
  wrong.send({ type: 'renew', token: signToken('renewed', 'phone', 3) });
  expect(await wrong.next('error')).toMatchObject({ code: 'unauthenticated' });
  wrong.send({ type: 'renew', token: signToken('wrong', 'tablet', 3) });
  expect(await wrong.next('error')).toMatchObject({ code: 'unauthenticated' });
  renewed.send({ type: 'ping' });
  await renewed.next('pong');
  clock.ahead = 2 * 3_600_000;
  expect((await forgetful.ended).code).toBe(4401);
  expect((await wrong.ended).code).toBe(4401);
  expect(renewed.ws.readyState).toBe(WebSocket.OPEN);
});

test('S2: who is signed out, on one device or on all, is closed with the code that asks for a new token', async () => {
  const [phone, laptop] = [
    stack.use(await WireClient.live(server.port, 'signed out', 'phone')),
    stack.use(await WireClient.live(server.port, 'signed out', 'laptop')),
  ];
  const { userId } = await firstWelcome(phone);
  const signOut = (device: string | null, expectedRevision: number) => {
    const id = newEventId(server.clock.now(), crypto.getRandomValues(new Uint8Array(10)));
    const event = {
      type: 'sessions-ended' as const,
      commandId: commandId.parse(newId()),
      deviceId: device === null ? null : deviceId.parse(device),
      reason: 'signed-out' as const,
    };
    const recorded = { eventId: id, time: server.clock.now(), causationId: id, correlationId: id, event };
    return server.eventLog.append(userStream(userId), [recorded], expectedRevision);
  };
  await signOut('laptop', 0);
  expect((await laptop.ended).code).toBe(4401);
  expect(phone.ws.readyState).toBe(WebSocket.OPEN);
  await signOut(null, 1);
  expect((await phone.ended).code).toBe(4401);
});

const firstWelcome = async (client: WireClient) => {
  const [welcome] = client.of('welcome');
  return welcome ?? client.next('welcome');
};

test('N9: a drain answers what is under way, closes every socket with 1012 and a time to come back at, and loses nothing', async () => {
  const draining = await serveInProcess(stack);
  const clients = await Promise.all(Array.from({ length: 60 }, (_, i) => WireClient.live(draining.port, `user ${i}`)));
  const [alice, bob] = clients as [WireClient, WireClient];
  const { conversationId } = await alice.ask({ type: 'start-direct', with: { name: 'user 1' } });
  const ids = Array.from({ length: 200 }, newId);
  for (const id of ids) alice.text(conversationId, id, id);
  await bob.next('message');
  const drained = draining.drain();
  const ends = await Promise.all(clients.map(({ ended }) => ended));
  await drained;
  expect(new Set(ends.map(({ code }) => code))).toEqual(new Set([1012]));
  for (const { reason } of ends) expect(reason).toMatch(/^retry in [0-9]+ ms$/);
  const answers = [...alice.of('accepted'), ...alice.of('rejected')].filter(({ messageId }) => messageId !== undefined);
  expect(new Set(answers.map(({ messageId }) => messageId)).size).toBe(answers.length);
  expect(alice.of('rejected').every(({ code }) => code === 'draining')).toBe(true);
  expect(alice.of('accepted').length).toBeGreaterThan(1);
});
