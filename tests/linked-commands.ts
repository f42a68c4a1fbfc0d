import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { unsweptCommandLink, type CommandLink } from '../command-side/command-link.ts';
import type { LinkedCommands } from '../command-side/command-link-session.ts';
import { randomPool } from '../command-side/random-pool.ts';
import { serveCommandLinks, type CommandLinks } from '../command-side/serve-command-links.ts';
import { metricsText } from '../schemas/metrics.ts';
import { TestClock } from './commands-under-test.ts';

export const internalToken = 'the token of the services, 32 chars';

/** A command side that other processes reach, on a port of this machine. */
export class ServedCommands implements AsyncDisposable {
  readonly links: CommandLinks;
  readonly warnings: string[];
  readonly #server: Server;

  private constructor(links: CommandLinks, server: Server, warnings: string[]) {
    this.links = links;
    this.#server = server;
    this.warnings = warnings;
  }

  static async open(commands: LinkedCommands, port = 0): Promise<ServedCommands> {
    const warnings: string[] = [];
    const warn = (_: unknown, message: string): void => void warnings.push(message);
    const links = serveCommandLinks({ commands, internalToken, warn });
    const server = createServer();
    links.attach(server);
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return new ServedCommands(links, server, warnings);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** As a SIGTERM does. */
  async drain(): Promise<void> {
    await this.links.drain();
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.links.close();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }
}

export interface OpenLink extends CommandLink, AsyncDisposable {
  readonly warnings: readonly string[];
  /** Lets time go by. */
  pass(milliseconds: number): void;
  /** What a metric says, by its name and labels as they are written. */
  metric(line: string): number;
}

export const linkTo = (addresses: readonly string[], token = internalToken, clock = new TestClock()): OpenLink => {
  const warnings: string[] = [];
  const link = unsweptCommandLink({
    addresses,
    internalToken: token,
    clock,
    randomBytes: randomPool(),
    warn: (_, message) => void warnings.push(message),
  });
  return {
    ...link,
    warnings,
    pass(milliseconds) {
      clock.monotonicOffset += milliseconds;
      link.sweep();
    },
    metric(line) {
      const found = metricsText(link.metrics)
        .split('\n')
        .find((one) => one.startsWith(`${line} `));
      return Number(found?.slice(line.length + 1));
    },
    [Symbol.asyncDispose]: async () => link.close(),
  };
};
