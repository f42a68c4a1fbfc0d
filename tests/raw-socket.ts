import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { signToken } from './tokens.ts';

/** Opcodes of RFC 6455. */
export const opcode = { continuation: 0x0, text: 0x1, binary: 0x2, close: 0x8, ping: 0x9 } as const;

interface FrameParts {
  readonly fin?: boolean;
  readonly rsv?: number;
  readonly masked?: boolean;
  /** What the header says, if it lies. */
  readonly length?: number | bigint;
}

/** A WebSocket frame as bytes, right or wrong. */
export const wsFrame = (
  code: number,
  payload: Uint8Array | string = '',
  { fin = true, rsv = 0, masked = true, length }: FrameParts = {},
): Buffer => {
  const body = Buffer.from(payload as string);
  const said = BigInt(length ?? body.length);
  const extended = Buffer.alloc(said < 126n ? 0 : said < 65_536n ? 2 : 8);
  if (extended.length === 2) extended.writeUInt16BE(Number(said));
  if (extended.length === 8) extended.writeBigUInt64BE(said);
  const short = extended.length === 0 ? Number(said) : extended.length === 2 ? 126 : 127;
  const mask = masked ? randomBytes(4) : Buffer.alloc(0);
  if (masked) for (let i = 0; i < body.length; i++) body[i] = (body[i] ?? 0) ^ (mask[i % 4] ?? 0);
  const head = Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | code, (masked ? 0x80 : 0) | short]);
  return Buffer.concat([head, extended, mask, body]);
};

/** A socket after a right handshake, on which anything can be written. */
export class RawSocket {
  readonly socket: Socket;
  private readonly chunks: Buffer[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes) => this.chunks.push(bytes));
    // The end shows in the close that follows.
    socket.on('error', () => undefined);
  }

  static async open(port: number, user: string): Promise<RawSocket> {
    const socket = connect(port, '127.0.0.1');
    const raw = new RawSocket(socket);
    socket.write(
      `GET /v1/socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
        `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Bearer ${signToken(user, 'raw')}\r\n\r\n`,
    );
    while (!raw.received.includes('welcome')) await once(socket, 'data');
    return raw;
  }

  get receivedBytes(): number {
    return this.socket.bytesRead;
  }

  get received(): Buffer {
    return Buffer.concat(this.chunks);
  }

  /** The code in the server's close frame; undefined if it ended without one. */
  async closeCode(): Promise<number | undefined> {
    if (!this.socket.closed) await new Promise((resolve) => this.socket.once('close', resolve));
    const { received } = this;
    const at = received.lastIndexOf(0x80 | opcode.close);
    return at === -1 || at + 4 > received.length ? undefined : received.readUInt16BE(at + 2);
  }
}
