import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { defaultLimits } from '../schemas/limits.ts';
import { httpServer } from './http-server.ts';

test('a connection that says nothing keeps no server from ending', async () => {
  const server = httpServer(defaultLimits);
  const { hostname, port } = new URL(await server.listen({ host: '127.0.0.1', port: 0 }));
  const accepted = new Promise((resolve) => server.server.once('connection', resolve));
  const socket = connect(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  const ended = new Promise((resolve) => socket.once('close', resolve));
  await accepted;
  await server.close();
  await ended;
});

test.each([
  [
    'an address of 100,000 characters',
    `GET /v1/search?q=${'a'.repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    'too_large',
  ],
  ['what is not HTTP', 'hello\r\n\r\n', 'invalid'],
  ['an address that is not well formed', 'GET /v1/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 'invalid'],
])('%s is refused with a problem document', async (_, request, code) => {
  const server = httpServer(defaultLimits);
  server.get('/v1/:anything', () => 'reached');
  try {
    const { hostname, port } = new URL(await server.listen({ host: '127.0.0.1', port: 0 }));
    const socket = connect(Number(port), hostname);
    socket.write(request);
    const answer = await text(socket);
    expect(answer).toMatch(/content-type: application\/problem\+json/i);
    expect(answer).toContain(`"code":"${code}"`);
  } finally {
    await server.close();
  }
});
