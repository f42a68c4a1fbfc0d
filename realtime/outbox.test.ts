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
