import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serveInProcess, type InProcessServer } from '../tests/in-process-server.ts';
import { opcode, RawSocket, wsFrame } from '../tests/raw-socket.ts';
import { signToken } from '../tests/tokens.ts';

// What RFC 6455 asks of a server, as bytes: the cases of section 5 to 8 that an application without binary frames meets.
const stack = new AsyncDisposableStack();
let server: InProcessServer;
beforeAll(async () => {
  server = await serveInProcess(stack);
});
afterAll(() => stack.disposeAsync());

const pongOpcode = 0xa;
const ping = '{"type":"ping"}';
const closeFrame = (code: number, reason: Uint8Array | string = ''): Buffer =>
  wsFrame(opcode.close, Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason as string)]));

const answers = async (frames: readonly Buffer[], awaited: string | Buffer): Promise<void> => {
  const raw = await RawSocket.open(server.port, 'ann');
  for (const frame of frames) raw.socket.write(frame);
  while (!raw.received.includes(awaited)) await once(raw.socket, 'data');
  raw.socket.write(closeFrame(1000));
  expect(await raw.closeCode()).toBe(1000);
};

describe('P1: text', () => {
  const inPieces = (payload: Buffer, size: number, between: readonly Buffer[] = []): Buffer[] => {
    const frames: Buffer[] = [];
    for (let at = 0; at < payload.length; at += size) {
      const code = at === 0 ? opcode.text : opcode.continuation;
      frames.push(wsFrame(code, payload.subarray(at, at + size), { fin: at + size >= payload.length }), ...between);
    }
    return frames;
  };

  test.each([1, 2, 7, ping.length])('in fragments of %i bytes', (size) =>
    answers(inPieces(Buffer.from(ping), size), '"pong"'),
  );
  test('with pings and pongs between its fragments', () =>
    answers(inPieces(Buffer.from(ping), 4, [wsFrame(opcode.ping, 'x'), wsFrame(pongOpcode, 'y')]), '"pong"'));
  test('with empty fragments before, between and behind', () =>
    answers(
      [
        wsFrame(opcode.text, '', { fin: false }),
        wsFrame(opcode.continuation, ping, { fin: false }),
        wsFrame(opcode.continuation, '', { fin: false }),
        wsFrame(opcode.continuation, ''),
      ],
      '"pong"',
    ));
  test('cut inside a character', () => answers(inPieces(Buffer.from('{"type":"漢🙂"}'), 1), '"error"'));
  test('of nothing is no frame, and ends nothing', () => answers([wsFrame(opcode.text, '')], '"error"'));
  test.each([125, 126, 127, 128, 65_535, 65_536, 200_000])('of %i bytes', (length) =>
    answers([wsFrame(opcode.text, ping.padEnd(length))], '"pong"'),
  );
  test('in one write with many others', () =>
    answers([Buffer.concat(Array.from({ length: 100 }, () => wsFrame(opcode.text, ping)))], '"pong"'));
});

describe('P1: control frames', () => {
  test.each([0, 1, 125])('a ping of %i bytes comes back', (length) => {
    const payload = 'p'.repeat(length);
    return answers([wsFrame(opcode.ping, payload)], wsFrame(pongOpcode, payload, { masked: false }));
  });
  test('a pong nobody asked for is nothing', () =>
    answers([wsFrame(pongOpcode, 'x'), wsFrame(opcode.text, ping)], '"pong"'));

  test.each([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 4999])(
    'a close of %i is given back',
    async (code) => {
      const raw = await RawSocket.open(server.port, 'ann');
      raw.socket.write(closeFrame(code, 'for a reason'));
      expect(await raw.closeCode()).toBe(code);
    },
  );
  test.each([0, 999, 1004, 1005, 1006, 1015, 2999, 5000])('a close of %i is none that may be sent', async (code) => {
    const raw = await RawSocket.open(server.port, 'ann');
    raw.socket.write(closeFrame(code));
    expect(await raw.closeCode()).toBe(1002);
  });
  test('a close of one byte, or with a reason that is no text, is refused by its code', async () => {
    const short = await RawSocket.open(server.port, 'ann');
    short.socket.write(wsFrame(opcode.close, 'x'));
    expect(await short.closeCode()).toBe(1002);
    const garbled = await RawSocket.open(server.port, 'ann');
    garbled.socket.write(closeFrame(1000, Uint8Array.of(0xff)));
    expect(await garbled.closeCode()).toBe(1007);
  });
  test('what comes behind a close is not read', async () => {
    const raw = await RawSocket.open(server.port, 'ann');
    raw.socket.write(Buffer.concat([closeFrame(1000), wsFrame(opcode.text, ping)]));
    expect(await raw.closeCode()).toBe(1000);
    expect(raw.received.includes('"pong"')).toBe(false);
  });
});

test('P6: compression is not agreed on, whoever offers it, so nothing that comes can grow', async () => {
  const socket = connect(server.port, '127.0.0.1');
  stack.defer(() => void socket.destroy());
  let received = '';
  socket.on('data', (bytes) => (received += bytes.toString('latin1')));
  socket.write(
    'GET /v1/socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-webkit-deflate-frame\r\n' +
      `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Bearer ${signToken('ann', 'raw')}\r\n\r\n`,
  );
  while (!received.includes('welcome')) await once(socket, 'data');
  expect(received).toMatch(/^HTTP\/1\.1 101 /);
  expect(received).not.toMatch(/sec-websocket-extensions/i);
  const body = { method: 'POST', headers: { 'content-encoding': 'gzip', 'content-type': 'application/json' } };
  const authorization = `Bearer ${signToken('ann', 'raw')}`;
  const answer = await fetch(`${server.address}/v1/conversations/group`, {
    ...body,
    headers: { ...body.headers, authorization },
    body: Uint8Array.of(0x1f, 0x8b, 8, 0),
  });
  expect(answer.status).toBe(400);
});
