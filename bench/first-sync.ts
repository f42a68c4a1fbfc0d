import { WebSocket, type RawData } from 'ws';
import type { ServerFrame } from '../schemas/frames.ts';
import { signToken } from '../tests/tokens.ts';
import { ServerProcess, temporaryFolder } from '../tests/server-process.ts';
import { median } from './drive.ts';
import type { BenchOptions } from './options.ts';
import { benchEnvironment, newId } from './parley.ts';
import { caughtUp } from './views.ts';

const messagesEach = 20;

/** What a new device of somebody in 2,000 groups waits for, from the opening of its socket to `synced`. */
export const benchFirstSync = async ({ quick }: BenchOptions): Promise<object> => {
  const groups = quick ? 200 : 2_000;
  const folder = await temporaryFolder('first-sync');
  const first = await ServerProcess.start({ data: folder.path, env: benchEnvironment });
  await fill(first.port, groups);
  await caughtUp(first.port);
  await first.end('SIGTERM');
  const server = await ServerProcess.start({ data: folder.path, env: benchEnvironment });
  try {
    const runs: Sync[] = [];
    for (let run = 0; run < 5; run++) runs.push(await firstSync(server.port, `new-${run}`));
    const result = {
      groups,
      sync_ms: Math.round(median(runs.map(({ ms }) => ms))),
      frames: runs[0]?.frames,
      bytes: runs[0]?.bytes,
    };
    console.table([result]);
    return result;
  } finally {
    await server.end('SIGKILL');
    await folder.stop();
  }
};

interface Sync {
  readonly ms: number;
  readonly frames: number;
  readonly bytes: number;
}

const connect = (port: number, device: string): WebSocket =>
  new WebSocket(`ws://127.0.0.1:${port}/v1/socket`, {
    perMessageDeflate: false,
    headers: { authorization: `Bearer ${signToken('ann', device)}` },
  });

const firstSync = (port: number, device: string): Promise<Sync> =>
  new Promise((resolve, reject) => {
    const from = performance.now();
    const socket = connect(port, device);
    let [frames, bytes] = [0, 0];
    socket.once('error', reject);
    socket.once('open', () => socket.send('{"type":"first-sync","after":null}'));
    socket.on('message', (data: RawData) => {
      frames++;
      bytes += (data as Buffer).length;
      const frame = JSON.parse((data as Buffer).toString()) as ServerFrame;
      if (frame.type !== 'synced' || !frame.caughtUp) return;
      socket.close();
      resolve({ ms: performance.now() - from, frames, bytes });
    });
  });

/** Groups of one, each with twenty messages; a window of commands under way. */
const fill = (port: number, groups: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, 'filler');
    let [created, answered] = [0, 0];
    const create = (): void => {
      if (created++ >= groups) return;
      socket.send(JSON.stringify({ type: 'create-group', commandId: newId(), name: `Group ${created}`, members: [] }));
    };
    socket.once('error', reject);
    socket.on('message', (data: RawData) => {
      const frame = JSON.parse((data as Buffer).toString()) as ServerFrame;
      if (frame.type === 'welcome') for (let at = 0; at < 20; at++) create();
      if (frame.type === 'rejected') reject(new Error(`refused: ${frame.code}`));
      if (frame.type !== 'accepted') return;
      if (frame.seq === undefined) {
        const content = { type: 'text', text: 'x'.repeat(200) };
        const { conversationId } = frame;
        for (let at = 0; at < messagesEach; at++) {
          socket.send(JSON.stringify({ type: 'send', messageId: newId(), conversationId, content }));
        }
        create();
      } else if (++answered === groups * messagesEach) {
        socket.close();
        resolve();
      }
    });
  });
