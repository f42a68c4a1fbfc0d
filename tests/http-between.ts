import { once } from 'node:events';
import { Agent, createServer, request, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HttpAsked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface HttpAnswered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Stands between; `ask` asks the server itself. */
export type Meet = (asked: HttpAsked, ask: () => Promise<HttpAnswered>) => Promise<HttpAnswered>;

/** An HTTP proxy that knows requests and answers, for what a server or a proxy of the operator's does. */
export class HttpBetween implements AsyncDisposable {
  readonly url: string;
  private readonly server: Server;
  private readonly agent: Agent;

  private constructor(server: Server, agent: Agent) {
    this.server = server;
    this.agent = agent;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async open(upstream: () => string, meet: Meet): Promise<HttpBetween> {
    const agent = new Agent({ keepAlive: true });
    const server = createServer((incoming, outgoing) => {
      const answer = async (): Promise<void> => {
        const { method = 'GET', url: path = '/', headers } = incoming;
        const asked = { method, path, headers, body: await allOf(incoming) };
        const { status, headers: said, body } = await meet(asked, () => ask(new URL(upstream()), asked, agent));
        const { 'transfer-encoding': _, connection: __, ...rest } = said;
        outgoing.writeHead(status, { ...rest, 'content-length': body.length }).end(body);
      };
      // Nobody is there: so it is here.
      answer().catch(() => outgoing.destroy());
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new HttpBetween(server, agent);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.agent.destroy();
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

const allOf = async (stream: AsyncIterable<Buffer>): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
};

const ask = ({ hostname, port }: URL, { method, path, headers, body }: HttpAsked, agent: Agent) =>
  new Promise<HttpAnswered>((resolve, reject) => {
    const asking = request({ hostname, port, method, path, headers, agent }, (answer) => {
      allOf(answer).then(
        (whole) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: whole }),
        reject,
      );
    });
    asking.on('error', reject).end(body);
  });
