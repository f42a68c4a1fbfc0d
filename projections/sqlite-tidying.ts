/** What the thread of a writer does between its batches. */
export interface Tidying {
  /** There is something to do now. */
  soon(): void;
  /** There is something to do once no batch has come for a while. */
  whenIdle(): void;
  /** Before the file is closed. */
  stop(): void;
}

const idleMs = 1_000;
const againMs = 100;

/**
 * Repeats `step`, each time in a turn of the loop of its own, until it is `done`; after `later`, or an error, which the
 * next batch will meet too, not before a moment has passed. `rolledBack` is told of an error: what the step wrote is not
 * written.
 */
export const tidying = (step: () => 'more' | 'later' | 'done', rolledBack: () => void): Tidying => {
  let timer: NodeJS.Timeout | undefined;
  let isIdleTimer = false;

  const schedule = (ms: number): void => {
    clearTimeout(timer);
    isIdleTimer = ms === idleMs;
    timer = setTimeout(run, ms);
  };
  const run = (): void => {
    timer = undefined;
    const next = attempt();
    if (next !== 'done') schedule(next === 'more' ? 0 : againMs);
  };
  const attempt = (): 'more' | 'later' | 'done' => {
    try {
      return step();
    } catch {
      rolledBack();
      return 'later';
    }
  };
  return {
    soon() {
      if (timer === undefined || isIdleTimer) schedule(0);
    },
    whenIdle() {
      if (timer === undefined) schedule(idleMs);
      else if (isIdleTimer) timer.refresh();
    },
    stop: () => clearTimeout(timer),
  };
};
