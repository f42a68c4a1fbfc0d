/** Work one after the other, in the order in which it was handed over. */
export interface OneAtATime {
  readonly run: <T>(work: () => Promise<T>) => Promise<T>;
  /** Resolves once everything handed over so far is done, whatever became of it. */
  readonly done: () => Promise<unknown>;
}

/** `failed` hears what went wrong before the next begins, and gives what the one who handed the work over is told. */
export const oneAtATime = (failed: (error: unknown) => unknown = (error) => error): OneAtATime => {
  let last: Promise<unknown> = Promise.resolve();
  return {
    run: (work) => {
      const done = last.then(work).catch((error: unknown) => {
        throw failed(error);
      });
      last = done.catch(() => undefined);
      return done;
    },
    done: () => last,
  };
};
