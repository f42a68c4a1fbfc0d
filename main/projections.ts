import { startProcess } from './start-process.ts';

/** Follows the log and keeps up the inbox and the search index. */
await startProcess(async () => (await import('./serve-projections.ts')).serveProjections);
