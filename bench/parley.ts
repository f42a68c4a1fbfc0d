import { WebSocket, type RawData } from 'ws';
import { uuidV7 } from '../schemas/ids.ts';
import type { ServerFrame } from '../schemas/frames.ts';
import { ServerProcess, temporaryFolder, type ServerOptions } from '../tests/server-process.ts';
import { signToken, tokenSecret } from '../tests/tokens.ts';
import type { DriverClient } from './driver-plan.ts';

export interface RunningParley {
  readonly port: number;
  readonly data: string;
  readonly server: ServerProcess;
  stop(): Promise<void>;
}

export const benchEnvironment = {
  PARLEY_TOKEN_SECRET: tokenSecret,
  PARLEY_SEND_BURST: '1000000',
  PARLEY_HANDSHAKE_BURST: '1000000',
  PARLEY_SEND_RATE: '1000000',
};

/** The whole server in a new folder, as `npm start` runs it but for the limit on sends. */
export const startParley = async (options: ServerOptions = {}): Promise<RunningParley> => {
  const folder = await temporaryFolder('bench');
  const server = await ServerProcess.start({ env: benchEnvironment, data: folder.path, ...options });
  return {
    port: server.port,
    data: folder.path,
    server,
    stop: async () => {
      if (server.running) await server.end('SIGKILL');
      await folder.stop();
    },
  };
};

export const newId = (): string => uuidV7(Date.now(), crypto.getRandomValues(new Uint8Array(10)));

/** Sends `frame` on a socket of its own once the socket is live, and resolves with the answer. */
export const ask = (port: number, token: string, frame: object | null): Promise<ServerFrame> =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/socket`, { headers: { authorization: `Bearer ${token}` } });
    socket.once('error', reject);
    socket.on('message', (data: RawData) => {
      const answer = JSON.parse((data as Buffer).toString()) as ServerFrame;
      const awaited =
        frame === null ? answer.type === 'welcome' : ['accepted', 'rejected', 'error'].includes(answer.type);
      if (answer.type === 'welcome' && frame !== null) socket.send(JSON.stringify(frame));
      if (!awaited) return;
      socket.close();
      resolve(answer);
    });
  });

/** A few handshakes at a time, as the server admits them. */
const inTurns = async <T, R>(items: readonly T[], act: (item: T, index: number) => Promise<R>): Promise<R[]> => {
  const results: R[] = [];
  for (let from = 0; from < items.length; from += 50) {
    results.push(...(await Promise.all(items.slice(from, from + 50).map((item, index) => act(item, from + index)))));
  }
  return results;
};

/** Registers `count` users and opens a one-to-one conversation for each pair of neighbours. */
export const openPairs = async (port: number, count: number): Promise<DriverClient[]> => {
  const tokens = Array.from({ length: count }, (_, index) => signToken(`user ${index}`, 'bench'));
  await inTurns(tokens, (token) => ask(port, token, null));
  return inTurns(tokens, async (token, index) => {
    const frame = { type: 'start-direct', commandId: newId(), with: { name: `user ${index ^ 1}` } };
    const answer = await ask(port, token, frame);
    if (answer.type !== 'accepted') throw new Error(`no conversation: ${JSON.stringify(answer)}`);
    return { token, conversationId: answer.conversationId };
  });
};
