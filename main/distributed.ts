import { runService } from './run-service.ts';
import { serveDistributed } from './serve-distributed.ts';

/** All services as processes of this machine, behind one address: over the servers that the environment names. */
await runService(async (stack) => {
  const { address, failed } = await serveDistributed(process.env, stack);
  process.stdout.write(`parley listens on ${address}\n`);
  return { failed };
});
