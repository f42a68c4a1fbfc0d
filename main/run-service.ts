/** What a process runs once it has started. */
export interface Running {
  /** Resolves when it cannot go on; what was acknowledged is safe, and the next start recovers. */
  readonly failed: Promise<Error>;
}

/** A supervisor waits 30 s or more before it kills. */
const drainMs = 25_000;

/** `unusable`: no waiting mends it. */
export const exitCodes = { failed: 1, unusable: 2 } as const;

/**
 * Runs a service until SIGTERM, SIGINT or a failure, then unwinds what it deferred, last in first out. A start that fails
 * says why in one line and leaves nothing half started.
 */
export const runService = async (
  start: (stack: AsyncDisposableStack, stopping: AbortSignal) => Promise<Running>,
): Promise<void> => {
  const stopped = Promise.withResolvers<undefined>();
  /** Ends what a start waits for; once it has started, nothing listens to it. */
  const stopping = new AbortController();
  // A second signal is no order to hurry: the drain is bounded, and what it is cut short by loses nothing.
  // Nor does it outlive who watches over it, where that one holds a channel to it.
  for (const order of ['SIGTERM', 'SIGINT', 'disconnect'])
    process.on(order, () => {
      stopped.resolve(undefined);
      stopping.abort();
    });

  const stack = new AsyncDisposableStack();
  let failure: Error | undefined;
  try {
    const running = await start(stack, stopping.signal);
    failure = await Promise.race([stopped.promise, running.failed]);
    if (failure !== undefined) say(`parley must end: ${failure.message}`);
    process.exitCode = failure === undefined ? 0 : exitCodes.failed;
  } catch (error) {
    // Told to end while it waited, it has nothing to complain of.
    process.exitCode = stopping.signal.aborted ? 0 : exitCodes.unusable;
    if (!stopping.signal.aborted) say(`parley cannot start: ${error instanceof Error ? error.message : String(error)}`);
  }
  setTimeout(() => process.exit(), drainMs).unref();
  try {
    await stack.disposeAsync();
  } catch (error) {
    say(`parley did not end cleanly: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode ||= exitCodes.failed;
  }
  process.exit();
};

const say = (line: string): void => {
  process.stderr.write(`${line.replaceAll(/\s*\n\s*/g, '; ')}\n`);
};
