/** SQLite's result codes that blame what was written, not the store: TOOBIG, CONSTRAINT, MISMATCH, RANGE. */
const ofTheData: ReadonlySet<number> = new Set([18, 19, 20, 25]);

/** Whether an error comes from the store (a full disk, a lock, I/O), so that the same may succeed later. */
export const isStoreFault = (error: unknown): boolean =>
  error instanceof Error &&
  'errcode' in error &&
  typeof error.errcode === 'number' &&
  !ofTheData.has(error.errcode & 0xff);
