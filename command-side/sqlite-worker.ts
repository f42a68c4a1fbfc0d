import { once } from 'node:events';
import { parentPort, Worker } from 'node:worker_threads';

/** What one call of a worker takes and answers, by its name. */
export type Calls<C> = { [Name in keyof C]: { readonly ask: unknown; readonly answer: unknown } };

type Numbered<C extends Calls<C>> = { [Name in keyof C]: { id: number; name: Name; ask: C[Name]['ask'] } }[keyof C];
type Reply = { id: number; answer: unknown } | { id: number; error: string };

export interface SqliteWorker<C extends Calls<C>> {
  /** Rejects when the worker could not do it, or is gone. */
  call<Name extends keyof C>(name: Name, ask: C[Name]['ask']): Promise<C[Name]['answer']>;
  /** Resolves when the worker died of its own: its file takes no more, and nothing is retried. */
  readonly failed: Promise<Error>;
  close(): Promise<void>;
}

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Starts a worker thread that owns a SQLite file. Rejects if the file cannot be opened. */
export const startSqliteWorker = async <C extends Calls<C>>(
  file: URL,
  workerData: unknown,
): Promise<SqliteWorker<C>> => {
  const worker = new Worker(file, { workerData });
  const waiting = new Map<number, Waiting>();
  let nextId = 0;
  let batch: Numbered<C>[] = [];
  let gone: Error | undefined;
  let closing = false;

  const failed = Promise.withResolvers<Error>();
  const end = (error: Error): void => {
    if (gone !== undefined) return;
    gone = error;
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
    if (!closing) failed.resolve(error);
  };
  worker.on('error', (error) => end(error instanceof Error ? error : new Error(String(error))));
  worker.on('exit', () => end(new Error('the worker ended')));
  worker.on('message', (replies: readonly Reply[]) => {
    for (const reply of replies) {
      const caller = waiting.get(reply.id);
      waiting.delete(reply.id);
      if ('error' in reply) caller?.reject(new Error(reply.error));
      else caller?.resolve(reply.answer);
    }
  });
  await once(worker, 'message');

  const post = (): void => {
    if (gone === undefined) worker.postMessage(batch);
    batch = [];
  };
  return {
    failed: failed.promise,
    call: (name, ask) =>
      new Promise((resolve, reject) => {
        if (gone !== undefined || closing) {
          reject(gone ?? new Error('the store is closed'));
          return;
        }
        const id = nextId++;
        waiting.set(id, { resolve, reject });
        // One message a tick: its calls share a transaction and its fsync.
        if (batch.push({ id, name, ask }) === 1) queueMicrotask(post);
      }),
    async close() {
      if (closing) return;
      closing = true;
      if (gone !== undefined) return;
      const exited = once(worker, 'exit');
      queueMicrotask(() => worker.postMessage('close'));
      await exited;
    },
  };
};

/** How a worker does its calls. A call that throws takes its whole transaction with it. */
export interface CallServer<C extends Calls<C>> {
  readonly calls: { readonly [Name in keyof C]: (ask: C[Name]['ask']) => C[Name]['answer'] };
  /** Runs `work` as one transaction. */
  readonly transaction: (work: () => void) => void;
  /** After the transaction and before its answers, with the names of the calls in it. */
  readonly committed: (names: ReadonlySet<keyof C>) => void;
  /** Whether the file can be used after this error; otherwise the worker ends, for nothing retries an fsync. */
  readonly survives: (error: unknown) => boolean;
  readonly close: () => void;
}

/** Runs in the worker: what queued while the last commit ran is the next transaction. */
export const serveCalls = <C extends Calls<C>>({
  calls,
  transaction,
  committed,
  survives,
  close,
}: CallServer<C>): void => {
  const port = parentPort;
  if (port === null) throw new Error('runs in a worker thread');
  let queued: Numbered<C>[] = [];

  const drain = (): void => {
    const batch = queued;
    queued = [];
    try {
      const replies: Reply[] = [];
      transaction(() => {
        for (const { id, name, ask } of batch) replies.push({ id, answer: calls[name](ask) });
      });
      committed(new Set(batch.map(({ name }) => name)));
      port.postMessage(replies);
    } catch (error) {
      if (!survives(error)) throw error;
      port.postMessage(batch.map(({ id }): Reply => ({ id, error: String(error) })));
    }
  };
  port.on('message', (message: Numbered<C>[] | 'close') => {
    if (message === 'close') {
      if (queued.length > 0) drain();
      close();
      port.close();
      return;
    }
    if (queued.length === 0) setImmediate(() => queued.length > 0 && drain());
    queued.push(...message);
  });
  port.postMessage([]);
};
