import type { ClientFrameInput, ServerFrame } from '../schemas/frames.ts';
import { abnormalClosure } from './connection.ts';
import type { Platform } from './platform.ts';

export interface OpenSocket {
  send(frame: ClientFrameInput): void;
  /** Says goodbye without waiting for an answer: nothing is heard of the socket any more. */
  drop(): void;
}

export interface Heard {
  frame(frame: ServerFrame): void;
  /** The last thing heard. */
  closed(code: number, reason: string): void;
}

/** One connection. The token goes into a subprotocol, for browsers let nobody set a header. */
export const openSocket = (
  { WebSocket }: Pick<Platform, 'WebSocket'>,
  url: string,
  token: string,
  heard: Heard,
): OpenSocket => {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/socket`, ['parley.v1', `bearer.${token}`]);
  let isOver = false;
  const end = (code: number, reason: string): void => {
    if (isOver) return;
    isOver = true;
    heard.closed(code, reason);
  };
  socket.addEventListener('message', ({ data }) => {
    if (isOver) return;
    const frame = typeof data === 'string' ? parse(data) : undefined;
    if (frame !== undefined) heard.frame(frame);
    else {
      socket.close();
      end(abnormalClosure, 'not a frame');
    }
  });
  // What went wrong shows in the close that follows.
  socket.addEventListener('error', () => undefined);
  socket.addEventListener('close', ({ code, reason }) => end(code, reason));
  return {
    send: (frame) => socket.send(JSON.stringify(frame)),
    drop() {
      isOver = true;
      socket.close(1000);
    },
  };
};

/** The server's frames are believed; what is no frame at all came from something else. */
const parse = (text: string): ServerFrame | undefined => {
  try {
    const frame = JSON.parse(text) as ServerFrame | null;
    return typeof frame?.type === 'string' ? frame : undefined;
  } catch {
    return undefined;
  }
};
