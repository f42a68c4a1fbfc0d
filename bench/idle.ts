import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';
import { signToken } from '../tests/tokens.ts';
import { bytesHeld, inspectorIn } from './inspected.ts';
import type { BenchOptions } from './options.ts';
import { openAll } from './open-sockets.ts';
import { benchEnvironment, startParley } from './parley.ts';

const socketsOfUser = 50;
const inspect = '--inspect=127.0.0.1:0';

/** What one idle connection holds in memory, beside a socket of bare `ws` in the same run. */
export const benchIdle = async ({ quick }: BenchOptions): Promise<object> => {
  const count = quick ? 2_000 : 10_000;
  const bare = await bareBytes(count);
  const parley = await parleyBytes(count);
  const result = { sockets: count, bare_bytes: bare, parley_bytes: parley, more_bytes: parley - bare };
  console.table([result]);
  return result;
};

const perSocket = async (
  inspector: string,
  count: number,
  open: () => Promise<readonly WebSocket[]>,
): Promise<number> => {
  const before = await bytesHeld(inspector);
  const sockets = await open();
  const after = await bytesHeld(inspector);
  for (const socket of sockets) socket.terminate();
  return Math.round((after - before) / count);
};

const bareBytes = async (count: number): Promise<number> => {
  const child = spawn(process.execPath, [inspect, join(import.meta.dirname, 'bare-ws-server.ts')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  try {
    const output: string[] = [];
    createInterface({ input: child.stderr }).on('line', (line) => output.push(line));
    let port = '';
    for await (const line of createInterface({ input: child.stdout })) {
      port = /^listening (\d+)$/.exec(line)?.[1] ?? '';
      break;
    }
    const open = () =>
      openAll(count, () => ({
        socket: new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false }),
        isOpen: null,
      }));
    return await perSocket(inspectorIn(output), count, open);
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
};

const parleyBytes = async (count: number): Promise<number> => {
  const env = {
    ...benchEnvironment,
    NODE_OPTIONS: inspect,
    PARLEY_HANDSHAKE_RATE: '1000000',
    PARLEY_HANDSHAKE_BURST: '1000000',
  };
  const parley = await startParley({ env });
  try {
    const open = () =>
      openAll(count, (index) => {
        const token = signToken(`user ${Math.floor(index / socketsOfUser)}`, `device-${index % socketsOfUser}`);
        const socket = new WebSocket(`ws://127.0.0.1:${parley.port}/v1/socket`, {
          perMessageDeflate: false,
          headers: { authorization: `Bearer ${token}` },
        });
        socket.once('open', () => socket.send('{"type":"resume","cursor":null}'));
        return { socket, isOpen: (frame) => frame.type === 'synced' && frame.caughtUp };
      });
    return await perSocket(inspectorIn(parley.server.output), count, open);
  } finally {
    await parley.stop();
  }
};
