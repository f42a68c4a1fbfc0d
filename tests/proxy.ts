import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** What the proxy does with bytes on their way. */
export interface Way {
  /** Called with what the server sends to a client before it is passed on; false: it is dropped and both ends are cut. */
  fromServer(bytes: Buffer): boolean;
}

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

  static async open(upstreamPort: () => number, way: Way): Promise<Proxy> {
    const sockets = new Set<Socket>();
    const keep = (socket: Socket): void => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      // The other end shows what happened.
      socket.on('error', () => undefined);
    };
    const server = createServer((client) => {
      const upstream = connect(upstreamPort(), '127.0.0.1');
      const cut = (): void => {
        client.destroy();
        upstream.destroy();
      };
      keep(client);
      keep(upstream);
      client.on('data', (bytes) => upstream.write(bytes));
      upstream.on('data', (bytes) => (way.fromServer(bytes) ? client.write(bytes) : cut()));
      client.on('close', cut);
      upstream.on('close', cut);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Proxy(server, sockets);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
