import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SettingName } from '../schemas/configuration.ts';

/** How a start waits for servers that are away. */
export interface StartWait {
  /** Called each time one was asked in vain. */
  waiting(setting: SettingName, reason: string): void;
  /** Aborted when the process is told to end before it has started. */
  readonly signal: AbortSignal;
}

export interface ServedWait extends StartWait {
  /** Gives the address back to who listens on it now; answers with its port, where the system picked one. */
  close(): Promise<number>;
}

const retryAfterSeconds = 1;

/**
 * Says on the address of the server that it is alive, not ready, and what it waits for; a start that waits for nothing
 * opens nothing.
 */
export const serveWait = (host: string, port: number, signal: AbortSignal): ServedWait => {
  const reasons = new Map<SettingName, string>();
  let server: Server | undefined;
  let listening: Promise<unknown> = Promise.resolve();

  const open = (): void => {
    const opened = createServer((request, response) => {
      const isAlive = request.url === '/livez';
      response.statusCode = isAlive ? 200 : 503;
      response.setHeader('content-type', 'application/json').setHeader('cache-control', 'no-store');
      if (!isAlive) response.setHeader('retry-after', retryAfterSeconds);
      const said = isAlive ? { status: 'ok' } : { status: 'not ready', checks: Object.fromEntries(reasons) };
      response.end(JSON.stringify(said));
    }).listen(port, host);
    server = opened;
    // An address that cannot be had ends the start when the server itself wants it.
    listening = once(opened, 'listening').catch(() => (server = undefined));
  };

  return {
    signal,
    waiting(setting, reason) {
      if (reasons.get(setting) === reason) return;
      reasons.set(setting, reason);
      if (server === undefined) open();
      void listening.then(() => {
        process.stderr.write(`parley waits for ${setting}: ${reason}${at(server)}\n`);
      });
    },
    async close() {
      await listening;
      if (server === undefined) return port;
      const { port: had } = server.address() as AddressInfo;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      server = undefined;
      return had;
    },
  };
};

const at = (server: Server | undefined): string => {
  const address = server?.address();
  if (typeof address !== 'object' || address === null) return '';
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `; until then http://${host}:${address.port} says so`;
};
