import { WebSocket, type RawData } from 'ws';

interface Reply {
  readonly id: number;
  readonly result?: { readonly result?: { readonly value?: unknown } };
}

/** The address in what a process started with `--inspect` prints. */
export const inspectorIn = (output: readonly string[]): string => {
  const found = output.map((line) => /(ws:\/\/\S+)/.exec(line)?.[1]).find((url) => url !== undefined);
  if (found === undefined) throw new Error('the process was not started with --inspect');
  return found;
};

/** What a process holds in memory once it has thrown away what it does not need, in bytes. */
export const bytesHeld = async (inspector: string): Promise<number> => {
  const socket = new WebSocket(inspector);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const call = (id: number, method: string, params: object = {}): Promise<Reply> =>
    new Promise((resolve) => {
      const hear = (data: RawData): void => {
        const reply = JSON.parse((data as Buffer).toString()) as Reply;
        if (reply.id !== id) return;
        socket.off('message', hear);
        resolve(reply);
      };
      socket.on('message', hear);
      socket.send(JSON.stringify({ id, method, params }));
    });
  try {
    for (let id = 1; id <= 3; id++) await call(id, 'HeapProfiler.collectGarbage');
    const { result } = await call(4, 'Runtime.evaluate', { expression: 'process.memoryUsage().rss' });
    return Number(result?.result?.value);
  } finally {
    socket.close();
  }
};
