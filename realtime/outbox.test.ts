import { once } from 'node:events';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { FlushTurn } from './flush-turn.ts';
import { Outbox } from './outbox.ts';
import { textFrame } from './text-frame.ts';

const message = textFrame('x'.repeat(1_024));

/** A connection whose peer takes one write at a time, when the test says so. */
class SlowConnection extends Duplex {
  readonly writes: number[] = [];
  #taken: (() => void) | undefined;

  override _read(): void {
    // Its peer says nothing.
  }

  override _write(chunk: Buffer, _encoding: string, taken: () => void): void {
    this.#hold(chunk.length, taken);
  }

  override _writev(chunks: { readonly chunk: Buffer }[], taken: () => void): void {
    this.#hold(
      chunks.reduce((bytes, { chunk }) => bytes + chunk.length, 0),
      taken,
    );
  }

  accept(): void {
    this.#taken?.();
  }

  #hold(bytes: number, taken: () => void): void {
    this.writes.push(bytes);
    this.#taken = taken;
    this.emit('held');
  }
}

const connected = async (connection: SlowConnection): Promise<WebSocket> => {
  const request = Object.assign(new IncomingMessage(new Socket()), {
    method: 'GET',
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    },
  });
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  const ws = await new Promise<WebSocket>((resolve) =>
    server.handleUpgrade(request, connection, Buffer.alloc(0), resolve),
  );
  connection.accept();
  connection.writes.length = 0;
  return ws;
};

test('N7: a peer that takes what waits for it piece by piece is seen to make progress with each', async () => {
  const connection = new SlowConnection();
  const ws = await connected(connection);
  const outbox = new Outbox(ws, connection, new FlushTurn(() => undefined));
  try {
    for (let i = 0; i < 1_024; i++) outbox.push(message);
    while (outbox.unsentBytes > 0) {
      if (connection.writes.length === 0) await once(connection, 'held');
      expect(outbox.madeProgress()).toBe(false);
      const waited = outbox.unsentBytes;
      const next = once(connection, 'held');
      connection.accept();
      if (waited > 65 * 1_028) await next;
      else await new Promise((resolve) => setImmediate(resolve));
      expect(outbox.madeProgress()).toBe(true);
    }
    expect(connection.writes.length).toBeGreaterThanOrEqual(16);
    for (const bytes of connection.writes) expect(bytes).toBeLessThanOrEqual(65 * 1_028);
  } finally {
    ws.terminate();
  }
});

test('what waits when the socket is closed goes out before the close frame', async () => {
  const connection = new SlowConnection();
  const ws = await connected(connection);
  const outbox = new Outbox(ws, connection, new FlushTurn(() => undefined));
  for (let i = 0; i < 256; i++) outbox.push(message);
  outbox.flush();
  outbox.flushAll();
  ws.close();
  for (let i = 0; i < 3; i++) {
    connection.accept();
    await new Promise((resolve) => setImmediate(resolve));
  }
  ws.terminate();
  expect(connection.writes.reduce((sum, bytes) => sum + bytes, 0)).toBe(256 * 1_028 + 2);
});

test('F72, O13: presence waits behind everything, the newest of each user; typing waits a moment, and not at all behind a backlog', async () => {
  const connection = new SlowConnection();
  const ws = await connected(connection);
  const outbox = new Outbox(ws, connection, new FlushTurn(() => undefined));
  const frame = (length: number): Buffer => textFrame('x'.repeat(length - 2));
  const accepted = async (): Promise<number> => {
    connection.accept();
    await new Promise((resolve) => setImmediate(resolve));
    return connection.writes.at(-1) ?? 0;
  };
  try {
    outbox.push(message);
    outbox.flush();
    for (const length of [10, 20]) outbox.pushLater('ada', frame(length));
    outbox.pushLater('bob', frame(30));
    outbox.pushFleeting('typing', frame(40));
    outbox.push(message);
    expect(await accepted()).toBe(1_028 + 20 + 30 + 40);
    outbox.pushFleeting('typing', frame(40));
    outbox.dropFleeting();
    outbox.pushLater('ada', frame(50));
    expect(await accepted()).toBe(50);
    for (let i = 0; i < 100; i++) outbox.push(message);
    outbox.pushFleeting('typing', frame(40));
    outbox.pushLater('ada', frame(60));
    for (let written = 0; written < 2; written++) await accepted();
    expect(connection.writes.reduce((sum, bytes) => sum + bytes, 0)).toBe(102 * 1_028 + 20 + 30 + 40 + 50 + 60);
  } finally {
    ws.terminate();
  }
});
