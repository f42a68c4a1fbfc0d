import { startProcess } from './start-process.ts';

/** Everything in one process, with the data in one directory. */
await startProcess(async () => (await import('./serve-embedded.ts')).serveEmbedded);
