import { startProcess } from './start-process.ts';

/** Holds sockets, works out what goes to which, or both. */
await startProcess(async () => (await import('./serve-realtime.ts')).serveRealtime);
