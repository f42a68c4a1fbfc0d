import { WebSocket, type RawData } from 'ws';
import type { ServerFrame } from '../schemas/frames.ts';
import { ServerProcess, temporaryFolder } from '../tests/server-process.ts';
import { median } from './drive.ts';
import { millionMessages, type MillionMessages } from './million.ts';
import type { BenchOptions } from './options.ts';
import { benchEnvironment, newId } from './parley.ts';

/** Start-up on an empty directory and on a million events, and the first send into a conversation of a million. */
export const benchCold = async ({ quick }: BenchOptions): Promise<object> => {
  const million = await millionMessages();
  const empty: number[] = [];
  const full: number[] = [];
  const firstSend: number[] = [];
  for (let round = 0; round < (quick ? 1 : 5); round++) {
    const folder = await temporaryFolder('cold');
    empty.push(await readyAfter(folder.path, () => Promise.resolve()));
    await folder.stop();
    full.push(await readyAfter(million.data, async (port) => void firstSend.push(await sendTakes(port, million))));
  }
  const result = {
    empty_ready_ms: Math.round(median(empty)),
    million_ready_ms: Math.round(median(full)),
    first_send_ms: Number(median(firstSend).toFixed(1)),
  };
  console.table([result]);
  return result;
};

/** Milliseconds from the start of the process until /readyz says yes. */
const readyAfter = async (data: string, then: (port: number) => Promise<void>): Promise<number> => {
  const from = performance.now();
  const server = await ServerProcess.start({ data, env: benchEnvironment });
  try {
    while (!(await fetch(`http://127.0.0.1:${server.port}/readyz`)).ok);
    const took = performance.now() - from;
    await then(server.port);
    return took;
  } finally {
    await server.end('SIGTERM');
  }
};

/** Milliseconds from the frame to its answer, on a socket that is open already. */
const sendTakes = (port: number, { token, conversationId }: MillionMessages): Promise<number> =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/socket`, { headers: { authorization: `Bearer ${token}` } });
    let from = 0;
    socket.once('error', reject);
    socket.on('message', (data: RawData) => {
      const frame = JSON.parse((data as Buffer).toString()) as ServerFrame;
      if (frame.type === 'welcome') {
        from = performance.now();
        const content = { type: 'text', text: 'good morning' };
        socket.send(JSON.stringify({ type: 'send', messageId: newId(), conversationId, content }));
      } else if (frame.type === 'accepted') {
        resolve(performance.now() - from);
        socket.close();
      } else if (frame.type === 'rejected') reject(new Error(`refused: ${frame.code}`));
    });
  });
