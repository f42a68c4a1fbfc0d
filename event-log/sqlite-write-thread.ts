import { Worker } from 'node:worker_threads';
import { LogUnusable } from './event-log.ts';
import type { AppendRequest, StoredEvent, StoreOutcome } from './log-store.ts';
import {
  packRequests,
  unpackAnswers,
  type NumberedRequest,
  type Packed,
  type WriterAnswer,
  type WriterMessage,
} from './sqlite-messages.ts';

export interface WriteThread {
  readonly append: (request: AppendRequest) => Promise<StoreOutcome>;
  /** n of the last event committed. */
  readonly last: () => number;
  readonly onCommitted: (listener: (events: readonly StoredEvent[]) => void) => void;
  readonly failed: Promise<Error>;
  /** Waits for the appends under way, then for the WAL to be carried over into the database. */
  readonly close: () => Promise<void>;
}

/** What one append may hold; the command side keeps far below it. */
const largestAppend = { bytes: 64 * 1_048_576, events: 10_000 } as const;

const isTooLarge = ({ events }: AppendRequest): boolean =>
  events.length > largestAppend.events ||
  events.reduce((sum, { envelope }) => sum + envelope.length, 0) > largestAppend.bytes;

interface Pending {
  readonly request: AppendRequest;
  readonly resolve: (outcome: StoreOutcome) => void;
}

const outcomeOf = ({ request }: Pending, answer: WriterAnswer): StoreOutcome => {
  switch (answer.outcome) {
    case 'appended':
      return {
        outcome: 'appended',
        revision: answer.revision,
        n: answer.n,
        links: request.events.map(({ link }) => link),
      };
    case 'repeated':
      return { outcome: 'appended', revision: answer.revision, n: answer.n, links: answer.links };
    case 'conflict':
      return { outcome: 'conflict', actualRevision: answer.revision };
    case 'storage_full':
      return { outcome: 'refused', why: 'storage_full' };
  }
};

/** The main thread's end of the thread that writes; resolves when the file is open. */
export const startWriteThread = async (
  file: string,
  onDisk: (milliseconds: number) => void = () => undefined,
): Promise<WriteThread> => {
  const worker = new Worker(new URL('sqlite-writer.ts', import.meta.url), { workerData: { file } });
  const pending = new Map<number, Pending>();
  const failed = Promise.withResolvers<Error>();
  const closed = Promise.withResolvers<undefined>();
  const opened = Promise.withResolvers<number>();
  let outbox: NumberedRequest[] = [];
  /** When each group was handed over, under the id of its last append. */
  const handedOver = new Map<number, number>();
  let idle = Promise.withResolvers<undefined>();
  let listener: (events: readonly StoredEvent[]) => void = () => undefined;
  let failure: Error | undefined;
  let closing = false;
  let lastId = 0;

  const fail = (error: Error): void => {
    failure ??= error;
    opened.reject(failure);
    for (const { resolve } of pending.values()) resolve({ outcome: 'unknown', cause: failure });
    pending.clear();
    outbox = [];
    failed.resolve(failure);
    idle.resolve(undefined);
    closed.resolve(undefined);
  };

  let last = 0;
  const settle = (packed: Packed): void => {
    const settled: { readonly append: Pending; readonly answer: WriterAnswer }[] = [];
    const committed: StoredEvent[] = [];
    for (const answer of unpackAnswers(packed)) {
      const append = pending.get(answer.id);
      if (append === undefined) continue;
      pending.delete(answer.id);
      const since = handedOver.get(answer.id);
      if (since !== undefined) {
        handedOver.delete(answer.id);
        onDisk(performance.now() - since);
      }
      settled.push({ append, answer });
      if (answer.outcome !== 'appended') continue;
      const { stream, events, expectedRevision } = append.request;
      let revision = expectedRevision;
      for (const event of events) committed.push({ ...event, stream, revision: ++revision, n: ++last });
    }
    if (committed.length > 0) listener(committed);
    for (const { append, answer } of settled) append.resolve(outcomeOf(append, answer));
    if (pending.size === 0) idle.resolve(undefined);
  };

  const hear = (message: WriterMessage): void => {
    switch (message.type) {
      case 'ready':
        opened.resolve(message.last);
        break;
      case 'unusable':
        fail(new LogUnusable(message.message));
        break;
      case 'failed':
        fail(new Error(`the log can be written no more: ${message.message}`));
        break;
      case 'closed':
        closed.resolve(undefined);
        break;
    }
  };
  worker.on('message', (message: Packed | WriterMessage) => {
    if (message instanceof Uint8Array) settle(message);
    else hear(message);
  });
  worker.on('error', fail);
  worker.on('exit', () => {
    if (!closing) fail(new Error('the thread that writes the log ended'));
    closed.resolve(undefined);
  });

  const flush = (): void => {
    if (outbox.length === 0) return;
    const packed = packRequests(outbox);
    handedOver.set(outbox.at(-1)?.id ?? 0, performance.now());
    outbox = [];
    worker.postMessage(packed, [packed.buffer]);
  };

  try {
    last = await opened.promise;
  } catch (error) {
    await worker.terminate();
    throw error;
  }

  return {
    last: () => last,
    failed: failed.promise,
    onCommitted: (given) => {
      listener = given;
    },
    append: (request) => {
      if (failure !== undefined) return Promise.resolve({ outcome: 'unknown', cause: failure });
      if (closing) return Promise.resolve({ outcome: 'refused', why: 'closed' });
      if (isTooLarge(request)) return Promise.resolve({ outcome: 'refused', why: 'too_large' });
      return new Promise((resolve) => {
        const id = ++lastId;
        pending.set(id, { request, resolve });
        if (outbox.length === 0) setImmediate(flush);
        outbox.push({ id, request });
      });
    },
    close: async () => {
      if (closing) return closed.promise;
      closing = true;
      idle = Promise.withResolvers();
      if (pending.size > 0) await idle.promise;
      if (failure === undefined) worker.postMessage('close');
      await closed.promise;
      await worker.terminate();
    },
  };
};
