import { flushCompileCache } from 'node:module';
import type { Clock } from '../command-side/clock.ts';
import type { Configuration } from '../schemas/configuration.ts';
import { keepCompiled } from './keep-compiled.ts';
import type { Running } from './run-service.ts';

/** Starts a service with what the environment says; unwinding `stack` ends it. */
export type Serve = (
  configuration: Configuration,
  clock: Clock,
  stack: AsyncDisposableStack,
  stopping: AbortSignal,
) => Promise<Running & { readonly address: string }>;

/** Runs one service until it is told to end. It is imported late, so that what it imports is compiled once a version. */
export const startProcess = async (imported: () => Promise<Serve>): Promise<void> => {
  keepCompiled();
  const [{ loadConfiguration }, { runService }, serve] = await Promise.all([
    import('./load-configuration.ts'),
    import('./run-service.ts'),
    imported(),
  ]);
  await runService(async (stack, stopping) => {
    const { configuration } = loadConfiguration(process.env);
    const clock = { now: () => Date.now(), monotonic: () => performance.now() };
    const serving = await serve(configuration, clock, stack, stopping);
    process.stdout.write(`parley listens on ${serving.address}\n`);
    flushCompileCache();
    return serving;
  });
};
