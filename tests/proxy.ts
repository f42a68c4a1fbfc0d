import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** Carries bytes both ways between a client and the server, as a network does or does not. */
export type Carry = (client: Socket, upstream: Socket) => void;

/** A TCP proxy between clients and the server, for what a network does. */
export class Proxy implements AsyncDisposable {
  readonly port: number;
  private readonly server: ReturnType<typeof createServer>;
  private readonly sockets: Set<Socket>;

  private constructor(server: ReturnType<typeof createServer>, sockets: Set<Socket>) {
    this.server = server;
    this.sockets = sockets;
    this.port = (server.address() as AddressInfo).port;
  }

  /** Where one end closes its connection, `carry` decides what becomes of the other. */
  static async open(upstreamPort: () => number, carry: Carry): Promise<Proxy> {
    const sockets = new Set<Socket>();
    const keep = (socket: Socket): void => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      // The other end shows what happened.
      socket.on('error', () => undefined);
    };
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      const upstream = connect({ port: upstreamPort(), host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
      keep(client);
      keep(upstream);
      carry(client, upstream);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Proxy(server, sockets);
  }

  readonly address = async (): Promise<string> => `127.0.0.1:${this.port}`;

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** Ends both connections as soon as one has ended. */
export const together = (client: Socket, upstream: Socket): (() => void) => {
  const cut = (): void => {
    client.destroy();
    upstream.destroy();
  };
  for (const socket of [client, upstream]) {
    socket.on('end', cut);
    socket.on('close', cut);
  }
  return cut;
};
