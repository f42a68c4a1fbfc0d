import streams from '@eventstore/db-client/generated/streams_grpc_pb.js';

/**
 * The client ends the process when an answer comes that nobody waits for: a server answers a refused append a second time
 * under an id that nobody sent. So what comes back over a stream of appends is looked at first, and only an answer to what
 * was written on it is let through, once.
 *
 * It also believes nobody who says that a stream is full: the client would wait for a drain that never comes when the
 * connection breaks then. How much is under way is bounded by who appends.
 */
type AppendStream = ReturnType<typeof streams.StreamsClient.prototype.batchAppend>;

/** Answers dropped since the process began. */
export const droppedAnswers = { count: 0 };

const guarded = (stream: AppendStream): AppendStream => {
  const awaited = new Set<string>();
  const write = stream.write.bind(stream) as (...given: unknown[]) => boolean;
  const emit = stream.emit.bind(stream) as (...given: unknown[]) => boolean;
  return Object.assign(stream, {
    write(message: AppendMessage, ...more: readonly unknown[]): boolean {
      awaited.add(idOf(message));
      write(message, ...more);
      return true;
    },
    emit(name: string, value: unknown, ...more: readonly unknown[]): boolean {
      if (name !== 'data' || awaited.delete(idOf(value as AppendMessage))) return emit(name, value, ...more);
      droppedAnswers.count++;
      return false;
    },
  });
};

interface AppendMessage {
  getCorrelationId(): { getString(): string } | undefined;
}

const idOf = (message: AppendMessage): string => message.getCorrelationId()?.getString() ?? '';

type BatchAppend = (this: unknown, ...given: unknown[]) => AppendStream;

let isGuarding = false;

/** For all clients of the process, from the first on. */
export const guardAnswers = (): void => {
  if (isGuarding) return;
  isGuarding = true;
  const client = streams.StreamsClient.prototype as unknown as { batchAppend: BatchAppend };
  const { batchAppend } = client;
  client.batchAppend = function (...given) {
    return guarded(batchAppend.apply(this, given));
  };
};
