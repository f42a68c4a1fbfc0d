import { startProcess } from './start-process.ts';

/** Decides and appends: users' writes over REST, and what gateways hand over. */
await startProcess(async () => (await import('./serve-command-side.ts')).serveCommandSide);
