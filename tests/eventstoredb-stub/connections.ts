import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { constants, type Http2Session, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';

const streamStarts = 'http2.server.stream.start';

/** Who is connected, below what the gRPC library shows: here connections break and streams are reset. */
export class Connections {
  private readonly sockets = new Set<Socket>();
  private readonly paths = new Map<ServerHttp2Stream, string>();

  constructor() {
    subscribe(streamStarts, this.started);
  }

  add(socket: Socket): void {
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
  }

  /** `peer`, as a call names it: that one alone. */
  cut(peer?: string): void {
    for (const socket of this.sockets) if (peer === undefined || peerOf(socket) === peer) socket.destroy();
  }

  cutOldest(): void {
    const [oldest] = this.sockets;
    oldest?.destroy();
  }

  /** Ends subscriptions and reads without a status, as a server does that goes down. */
  resetReads(peer?: string): void {
    // Closing them would wait until all that was written is gone.
    for (const stream of this.streams(/\/Read$/, peer)) stream.destroy();
  }

  /** With another code than reads: at the one of reads the client may leave a stream it writes to dead for ever. */
  resetAppends(peer: string): void {
    for (const stream of this.streams(/\/(Batch)?Append$/, peer)) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  close(): void {
    unsubscribe(streamStarts, this.started);
    this.cut();
  }

  private streams(method: RegExp, peer: string | undefined): ServerHttp2Stream[] {
    return [...this.paths]
      .filter(([{ session }, path]) => method.test(path) && (peer === undefined || peer === peerOfSession(session)))
      .map(([stream]) => stream);
  }

  /** Every HTTP/2 server of the process says so here. */
  private readonly started = (message: unknown): void => {
    const { stream, headers } = message as { stream: ServerHttp2Stream; headers: IncomingHttpHeaders };
    const peer = peerOfSession(stream.session);
    if (![...this.sockets].some((socket) => peerOf(socket) === peer)) return;
    this.paths.set(stream, headers[':path'] ?? '');
    stream.once('close', () => this.paths.delete(stream));
  };
}

const peerOf = (socket: Pick<Socket, 'remoteAddress' | 'remotePort'>): string =>
  `${socket.remoteAddress ?? ''}:${socket.remotePort ?? ''}`;
const peerOfSession = (session: Http2Session | undefined): string | undefined => session && peerOf(session.socket);
