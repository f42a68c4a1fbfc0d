import { Worker } from 'node:worker_threads';
import type { StreamName } from '../schemas/streams.ts';
import { LogDamaged, LogUnusable } from './event-log.ts';
import type { StoredEvent } from './log-store.ts';
import { unpackPage, type ReaderMessage, type ReadQuestion } from './sqlite-messages.ts';

export interface ReadThread {
  readonly readStream: (
    stream: StreamName,
    from: number | 'end',
    direction: 'forwards' | 'backwards',
    limit: number,
  ) => Promise<readonly StoredEvent[]>;
  readonly readAll: (after: number, limit: number) => Promise<readonly StoredEvent[]>;
  /** n of the last event committed. */
  readonly last: () => Promise<number>;
  readonly failed: Promise<Error>;
  readonly close: () => Promise<void>;
}

const errorIn = (message: ReaderMessage): Error | undefined => {
  if ('damaged' in message) return new LogDamaged(message.damaged, { n: message.n });
  if ('unusable' in message) return new LogUnusable(message.unusable);
  return 'failed' in message ? new Error(message.failed) : undefined;
};

/** The main thread's end of the thread that reads. */
export const startReadThread = (file: string): ReadThread => {
  const worker = new Worker(new URL('sqlite-reader.ts', import.meta.url), { workerData: { file } });
  const waiting = new Map<number, PromiseWithResolvers<ReaderMessage>>();
  let lastId = 0;
  const failed = Promise.withResolvers<Error>();
  let closing = false;
  let ended: Error | undefined;

  worker.on('message', (message: ReaderMessage) => {
    const asked = waiting.get(message.id);
    waiting.delete(message.id);
    const error = errorIn(message);
    if (error === undefined) asked?.resolve(message);
    else asked?.reject(error);
  });
  const end = (error: Error): void => {
    ended ??= error;
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
    if (!closing) failed.resolve(ended);
  };
  worker.on('error', end);
  worker.on('exit', () => end(new Error(closing ? 'the log is closed' : 'the thread that reads the log ended')));

  const ask = (question: ReadQuestion): Promise<ReaderMessage> => {
    if (ended !== undefined) return Promise.reject(ended);
    const id = ++lastId;
    const asked = Promise.withResolvers<ReaderMessage>();
    waiting.set(id, asked);
    worker.postMessage({ id, question });
    return asked.promise;
  };
  const askForPage = async (question: ReadQuestion): Promise<StoredEvent[]> => {
    const message = await ask(question);
    return 'page' in message ? unpackPage(message.page) : [];
  };

  return {
    readStream: (stream, from, direction, limit) => askForPage({ what: 'stream', stream, from, direction, limit }),
    readAll: (after, limit) => askForPage({ what: 'log', after, limit }),
    last: async () => {
      const message = await ask({ what: 'last' });
      return 'last' in message ? message.last : 0;
    },
    failed: failed.promise,
    close: async () => {
      closing = true;
      await worker.terminate();
    },
  };
};
