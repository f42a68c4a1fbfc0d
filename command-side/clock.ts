/** Time as a dependency, so that tests can jump it. */
export interface Clock {
  /** Wall clock in milliseconds since 1970; may jump. */
  now(): number;
  /** Milliseconds since some moment; never goes back and does not follow the wall clock. */
  monotonic(): number;
}

/** Random bytes as a dependency. */
export type RandomBytes = (count: number) => Uint8Array;

/** Somewhere between half of so many milliseconds and all of them, so that those who wait for one thing do not ask at once. */
export const jittered = (milliseconds: number, randomBytes: RandomBytes): number =>
  milliseconds * (0.5 + (randomBytes(1)[0] ?? 0) / 510);
