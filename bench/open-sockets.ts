import type { RawData, WebSocket } from 'ws';
import type { ServerFrame } from '../schemas/frames.ts';

const openingAtOnce = 100;

/** Opens sockets a hundred at a time; each is there once `isOpen` says so of something it was sent, or at once. */
export const openAll = async (
  count: number,
  open: (index: number) => { readonly socket: WebSocket; readonly isOpen: ((frame: ServerFrame) => boolean) | null },
): Promise<WebSocket[]> => {
  const sockets: WebSocket[] = [];
  const one = async (index: number): Promise<void> => {
    const { socket, isOpen } = open(index);
    sockets.push(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      if (isOpen === null) socket.once('open', resolve);
      else {
        socket.on('message', (data: RawData) => {
          if (isOpen(JSON.parse((data as Buffer).toString()) as ServerFrame)) resolve();
        });
      }
    });
  };
  for (let from = 0; from < count; from += openingAtOnce) {
    const many = Math.min(openingAtOnce, count - from);
    await Promise.all(Array.from({ length: many }, (_, index) => one(from + index)));
  }
  return sockets;
};
