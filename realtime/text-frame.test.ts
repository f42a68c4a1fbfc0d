import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { textFrame } from './text-frame.ts';

const accept = (key: string): string =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

/** What a WebSocket client makes of frames written to its connection as they are. */
const readByAClient = async (texts: readonly string[]): Promise<string[]> => {
  const server = createServer((connection) => {
    connection.once('data', (request) => {
      const key = /sec-websocket-key: (\S+)/i.exec(request.toString())?.[1] ?? '';
      connection.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept(key)}\r\n\r\n`,
      );
      connection.write(Buffer.concat(texts.map(textFrame)));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  try {
    const read: string[] = [];
    client.on('message', (data: Buffer, isBinary) => read.push(isBinary ? 'binary' : data.toString()));
    while (read.length < texts.length) await once(client, 'message');
    return read;
  } finally {
    client.terminate();
    server.close();
  }
};

test('a client reads texts of every length of header, one after the other', async () => {
  const texts = [0, 1, 125, 126, 65_535, 65_536, 400_000].map((length) => 'x'.repeat(length));
  expect(await readByAClient([...texts, 'é漢🙂'.repeat(20)])).toEqual([...texts, 'é漢🙂'.repeat(20)]);
});
