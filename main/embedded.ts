import { loadConfiguration } from './load-configuration.ts';
import { runService } from './run-service.ts';
import { serveEmbedded } from './serve-embedded.ts';

/** Everything in one process, with the data in one directory. */
await runService(async (stack) => {
  const { configuration } = loadConfiguration(process.env);
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const serving = await serveEmbedded(configuration, clock, stack);
  process.stdout.write(`parley listens on ${serving.address}\n`);
  return serving;
});
