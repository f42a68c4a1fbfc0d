import { flushCompileCache } from 'node:module';
import { keepCompiled } from './keep-compiled.ts';

keepCompiled();
const [{ loadConfiguration }, { runService }, { serveEmbedded }] = await Promise.all([
  import('./load-configuration.ts'),
  import('./run-service.ts'),
  import('./serve-embedded.ts'),
]);

/** Everything in one process, with the data in one directory. */
await runService(async (stack, stopping) => {
  const { configuration } = loadConfiguration(process.env);
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const serving = await serveEmbedded(configuration, clock, stack, stopping);
  process.stdout.write(`parley listens on ${serving.address}\n`);
  flushCompileCache();
  return serving;
});
