import { STATUS_CODES, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { commandLinksPath, commandLinksProtocol, linkMessageBytes } from '../schemas/command-link.ts';
import { gauge, type Metric } from '../schemas/metrics.ts';
import { CommandLinkSession, type LinkedCommands } from './command-link-session.ts';
import { holdsInternalToken } from './internal-token.ts';
import type { Warn } from './warn.ts';

export interface ServeCommandLinksDeps {
  readonly commands: LinkedCommands;
  readonly internalToken: string;
  readonly warn: Warn;
}

export interface CommandLinks {
  /** Takes all requests of the server to upgrade. */
  attach(server: Server): void;
  readonly metrics: readonly Metric[];
  /** Sends who is connected to others, and resolves when they have the answers to what is under way. */
  drain(): Promise<void>;
  /** Ends the connections that are left. */
  close(): void;
}

/** Clients ping twice as often. */
const heardMs = 5_000;
const mostUnheard = 3;
const goodbyeMs = 1_000;

const refuse = (socket: Duplex, status: number): void => {
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
};

/** The door for the processes that hand over what users ask for. */
export const serveCommandLinks = (deps: ServeCommandLinksDeps): CommandLinks => {
  const { internalToken } = deps;
  const sessions = new Map<CommandLinkSession, { unheard: number }>();
  let isDraining = false;
  const webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: linkMessageBytes,
    handleProtocols: () => commandLinksProtocol,
  });

  const refusal = (request: IncomingMessage): number | undefined => {
    if (request.url !== commandLinksPath) return 404;
    if (!holdsInternalToken(request, internalToken)) return 401;
    if (request.headers['sec-websocket-protocol'] !== commandLinksProtocol) return 426;
    return isDraining ? 503 : undefined;
  };

  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    // A socket that fails before it is a WebSocket has nobody else to tell.
    socket.on('error', () => socket.destroy());
    const status = refusal(request);
    if (status !== undefined) {
      refuse(socket, status);
      return;
    }
    webSockets.handleUpgrade(request, socket, head, (ws) => {
      const session = new CommandLinkSession(ws, { ...deps, isDraining: () => isDraining });
      sessions.set(session, { unheard: 0 });
      void session.ended.then(() => sessions.delete(session));
    });
  };

  const timer = setInterval(() => {
    for (const [session, seen] of sessions) {
      seen.unheard = session.takeHeard() ? 0 : seen.unheard + 1;
      if (seen.unheard >= mostUnheard) session.terminate();
    }
  }, heardMs);

  const farewell = async (session: CommandLinkSession): Promise<void> => {
    await session.drain();
    const late = setTimeout(() => session.terminate(), goodbyeMs);
    await session.ended;
    clearTimeout(late);
  };

  return {
    attach: (server) => void server.on('upgrade', upgrade),
    metrics: [
      gauge('parley_command_links', () => [[[], sessions.size]]),
      gauge('parley_command_links_under_way', () => [
        [[], [...sessions.keys()].reduce((sum, { underWay }) => sum + underWay, 0)],
      ]),
    ],
    async drain() {
      isDraining = true;
      await Promise.all([...sessions.keys()].map(farewell));
    },
    close() {
      isDraining = true;
      clearInterval(timer);
      for (const session of sessions.keys()) session.terminate();
      webSockets.close();
    },
  };
};
