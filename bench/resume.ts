import { readFileSync } from 'node:fs';
import { WebSocket, type RawData } from 'ws';
import type { ServerFrame } from '../schemas/frames.ts';
import { ServerProcess, temporaryFolder } from '../tests/server-process.ts';
import { signToken } from '../tests/tokens.ts';
import { median } from './drive.ts';
import type { BenchOptions } from './options.ts';
import { benchEnvironment, newId } from './parley.ts';
import { caughtUp } from './views.ts';

const chats = 2_000;
const missedMessages = 100_000;
/** In which the missed messages are, among those of others. */
const busyChats = 50;
const text = 'x'.repeat(200);

interface Resumed {
  readonly ms: number;
  readonly frames: number;
  readonly cursor: string;
}

/** A socket that keeps no frames. */
class Socket {
  readonly #ws: WebSocket;
  #take: (frame: ServerFrame) => void = () => undefined;

  private constructor(ws: WebSocket) {
    this.#ws = ws;
    ws.on('message', (data: RawData) => this.#take(JSON.parse((data as Buffer).toString()) as ServerFrame));
  }

  static open(port: number, user: string): Promise<Socket> {
    const authorization = `Bearer ${signToken(user, 'bench')}`;
    const ws = new WebSocket(`ws://127.0.0.1:${port}/v1/socket`, { headers: { authorization } });
    const socket = new Socket(ws);
    return new Promise((resolve, reject) => {
      ws.once('error', reject);
      socket.#take = () => resolve(socket);
    });
  }

  /** Sends all, `window` of them under way at once, and resolves with the answers. */
  ask(frames: readonly object[], window = 64): Promise<ServerFrame[]> {
    const answers: ServerFrame[] = [];
    let sent = 0;
    const next = (): void => {
      const frame = frames[sent++];
      if (frame !== undefined) this.#ws.send(JSON.stringify(frame));
    };
    return new Promise((resolve, reject) => {
      this.#take = (frame) => {
        if (frame.type === 'rejected' || frame.type === 'error') reject(new Error(JSON.stringify(frame)));
        if (frame.type !== 'accepted') return;
        answers.push(frame);
        if (answers.length === frames.length) resolve(answers);
        else next();
      };
      for (let begun = 0; begun < window; begun++) next();
    });
  }

  resume(cursor: string | null): Promise<Resumed> {
    let frames = 0;
    const from = performance.now();
    return new Promise((resolve) => {
      this.#take = (frame) => {
        if (frame.type !== 'synced') frames++;
        else if (frame.caughtUp) resolve({ ms: performance.now() - from, frames, cursor: frame.cursor });
      };
      this.#ws.send(JSON.stringify({ type: 'resume', cursor }));
    });
  }

  close(): void {
    this.#ws.close();
  }
}

const start = (data: string): Promise<ServerProcess> => ServerProcess.start({ data, env: benchEnvironment });
/** In MB, as Linux says it. */
const greatestMemory = ({ pid }: ServerProcess): number =>
  Math.round(Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024);

/**
 * A device of somebody in 2,000 conversations comes back that missed 100,000 messages, among as many of others: to a server
 * that has just started, so that none of it is in memory.
 */
export const benchResume = async ({ quick }: BenchOptions): Promise<object> => {
  const folder = await temporaryFolder('resume');
  const rounds = quick ? 1 : 5;
  const back: Resumed[] = [];
  let memory = 0;
  const resumeAfterStart = async (cursor: string | null): Promise<Resumed> => {
    const server = await start(folder.path);
    try {
      await caughtUp(server.port);
      const socket = await Socket.open(server.port, 'traveller');
      const resumed = await socket.resume(cursor);
      socket.close();
      memory = Math.max(memory, greatestMemory(server));
      return resumed;
    } finally {
      await server.end('SIGTERM');
    }
  };
  try {
    const server = await start(folder.path);
    const names = ['traveller', ...Array.from({ length: 20 }, (_, index) => `other ${index}`)];
    for (const name of names) (await Socket.open(server.port, name)).close();
    const sender = await Socket.open(server.port, 'other 0');
    const group = (index: number, traveller: boolean): object => ({
      type: 'create-group',
      commandId: newId(),
      name: `group ${index}`,
      members: [traveller ? 'traveller' : 'other 1', ...[2, 3, 4].map((n) => `other ${2 + ((index + n) % 18)}`)].map(
        (name) => ({ name }),
      ),
    });
    const idsOf = (answers: readonly ServerFrame[]): string[] =>
      answers.flatMap((answer) => (answer.type === 'accepted' ? [answer.conversationId] : []));
    const mine = idsOf(await sender.ask(Array.from({ length: chats }, (_, index) => group(index, true))));
    const others = idsOf(await sender.ask(Array.from({ length: busyChats }, (_, index) => group(index, false))));
    const say = (conversationId: string): object => ({
      type: 'send',
      messageId: newId(),
      conversationId,
      content: { type: 'text', text },
    });
    await sender.ask(mine.map(say));
    await caughtUp(server.port);
    await server.end('SIGTERM');
    const { cursor } = await resumeAfterStart(null);

    const writing = await start(folder.path);
    const writer = await Socket.open(writing.port, 'other 0');
    const busy = [...mine.slice(0, busyChats), ...others];
    await writer.ask(
      Array.from({ length: missedMessages * 2 }, (_, index) => say(busy[index % busy.length] ?? '')),
      200,
    );
    await caughtUp(writing.port);
    await writing.end('SIGTERM');
    memory = 0;
    for (let round = 0; round < rounds; round++) back.push(await resumeAfterStart(cursor));
  } finally {
    await folder.stop();
  }
  const result = {
    ms: Math.round(median(back.map(({ ms }) => ms))),
    frames: back[0]?.frames,
    server_rss_mb: memory,
  };
  console.table([result]);
  return result;
};
