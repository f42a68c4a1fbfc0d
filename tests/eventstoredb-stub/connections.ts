import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
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

  /** Ends streams of a method with RST_STREAM and without a status, as a server that goes down. */
  reset(method: string, peer?: string): void {
    for (const [stream, path] of this.paths) {
      const { socket } = stream.session ?? {};
      if (path.endsWith(`/${method}`) && socket && (peer === undefined || peerOf(socket) === peer)) {
        stream.close(constants.NGHTTP2_NO_ERROR);
      }
    }
  }

  close(): void {
    unsubscribe(streamStarts, this.started);
    this.cut();
  }

  /** Every HTTP/2 server of the process says so here. */
  private readonly started = (message: unknown): void => {
    const { stream, headers } = message as { stream: ServerHttp2Stream; headers: IncomingHttpHeaders };
    const peer = stream.session?.socket;
    if (![...this.sockets].some((socket) => peer && peerOf(socket) === peerOf(peer))) return;
    this.paths.set(stream, headers[':path'] ?? '');
    stream.once('close', () => this.paths.delete(stream));
  };
}

const peerOf = (socket: Pick<Socket, 'remoteAddress' | 'remotePort'>): string =>
  `${socket.remoteAddress ?? ''}:${socket.remotePort ?? ''}`;
