/**
 * The members of one group, as a process of its own: `PORT COUNT`. Prints `open` once all of them are up to date, and
 * `arrived SEQ` when a message has come to each.
 */
import { WebSocket, type RawData } from 'ws';
import type { ServerFrame } from '../schemas/frames.ts';
import { signToken } from '../tests/tokens.ts';
import { openAll } from './open-sockets.ts';

const [port = '', given = ''] = process.argv.slice(2);
const count = Number(given);
const arrived = new Map<number, number>();

const hear = (data: RawData): void => {
  const frame = JSON.parse((data as Buffer).toString()) as ServerFrame;
  if (frame.type !== 'message') return;
  const so = (arrived.get(frame.seq) ?? 0) + 1;
  arrived.set(frame.seq, so);
  if (so === count) console.log(`arrived ${frame.seq}`);
};

await openAll(count, (index) => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/socket`, {
    perMessageDeflate: false,
    headers: { authorization: `Bearer ${signToken(`user ${index}`, 'bench')}` },
  });
  socket.once('open', () => socket.send('{"type":"resume","cursor":null}'));
  socket.on('message', hear);
  return { socket, isOpen: (frame) => frame.type === 'synced' && frame.caughtUp };
});
console.log('open');
