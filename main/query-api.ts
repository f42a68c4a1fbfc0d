import { startProcess } from './start-process.ts';

/** Answers users' reads over REST. */
await startProcess(async () => (await import('./serve-query-api.ts')).serveQueryApi);
