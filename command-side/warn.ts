/** How something that is not the caller's concern reaches the log of the process; pino's `warn` and `error` are such functions. */
export type Warn = (details: Readonly<Record<string, unknown>>, message: string) => void;
