/** What waits to be decided, with about how many bytes its events will have. */
export interface Queued {
  readonly bytes: number;
}

export interface StreamQueues<Stream, Item extends Queued> {
  /** False when the stream's queue is full. */
  add(stream: Stream, item: Item): boolean;
}

export interface StreamQueueLimits {
  /** Items waiting for one stream. */
  readonly waiting: number;
  /** What one run takes at most: the limits of one append (EventStoreDB's is 1 MiB). */
  readonly items: number;
  readonly bytes: number;
}

export const streamQueueLimits: StreamQueueLimits = { waiting: 1_000, items: 256, bytes: 900_000 };

/**
 * One bounded queue a stream, in order, and never two runs of one stream at a time: what waited while a run was busy is
 * the next run. `run` must not throw.
 */
export const streamQueues = <Stream, Item extends Queued>(
  run: (stream: Stream, items: readonly Item[]) => Promise<void>,
  limits: StreamQueueLimits = streamQueueLimits,
): StreamQueues<Stream, Item> => {
  /** The streams with a run under way, and what waits for its end. */
  const waiting = new Map<Stream, Item[]>();

  const takeRun = (queue: Item[]): Item[] => {
    let bytes = 0;
    const end = queue.findIndex((item, index) => {
      bytes += item.bytes;
      return index > 0 && (index === limits.items || bytes > limits.bytes);
    });
    return queue.splice(0, end === -1 ? queue.length : end);
  };

  const work = async (stream: Stream, queue: Item[]): Promise<void> => {
    while (queue.length > 0) await run(stream, takeRun(queue));
    waiting.delete(stream);
  };

  return {
    add(stream, item) {
      const queue = waiting.get(stream);
      if (queue === undefined) {
        const started = [item];
        waiting.set(stream, started);
        void work(stream, started);
        return true;
      }
      if (queue.length >= limits.waiting) return false;
      queue.push(item);
      return true;
    },
  };
};
