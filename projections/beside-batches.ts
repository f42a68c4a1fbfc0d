import { setTimeout as pause } from 'node:timers/promises';

const againMs = 1_000;

export interface BesideBatches {
  /** Sees to it that a run begins after this. */
  begin(): void;
  /** Resolves once no run is under way. */
  ended(): Promise<void>;
}

/**
 * Work of a writer that may take long, so no batch waits for it: one run at a time, tried again until it succeeds or
 * `signal` is aborted.
 */
export const besideBatches = (
  work: () => Promise<void>,
  failed: (error: unknown) => void,
  signal: AbortSignal,
): BesideBatches => {
  const isStopping = (): boolean => signal.aborted;
  let isDue = false;
  let running: Promise<void> | undefined;

  const run = async (): Promise<void> => {
    while (isDue && !isStopping()) {
      isDue = false;
      try {
        await work();
      } catch (error) {
        if (isStopping()) break;
        isDue = true;
        failed(error);
        // Cut short by the signal, which the loop sees.
        await pause(againMs, undefined, { signal, ref: false }).catch(() => undefined);
      }
    }
    running = undefined;
  };
  return {
    begin() {
      isDue = true;
      running ??= run();
    },
    ended: async () => running,
  };
};
