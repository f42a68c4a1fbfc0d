export interface Gate {
  /** Runs `work` when it is its turn; undefined when too many wait already. */
  enter<T>(work: () => Promise<T>): Promise<T> | undefined;
}

/** At most `width` at once, and at most `waiting` behind them. */
export const gate = (width: number, waiting: number): Gate => {
  const queue: (() => void)[] = [];
  let inside = 0;

  const run = async <T>(work: () => Promise<T>): Promise<T> => {
    if (inside >= width) await new Promise<void>((resolve) => queue.push(resolve));
    else inside++;
    try {
      return await work();
    } finally {
      // Who waits takes the place over, so that nobody slips in between.
      const next = queue.shift();
      if (next === undefined) inside--;
      else next();
    }
  };
  return { enter: (work) => (inside >= width && queue.length >= waiting ? undefined : run(work)) };
};
