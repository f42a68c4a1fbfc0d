/** Time as a dependency, so that tests can jump it. */
export interface Clock {
  /** Wall clock in milliseconds since 1970; may jump. */
  now(): number;
  /** Milliseconds since some moment; never goes back and does not follow the wall clock. */
  monotonic(): number;
}

/** Random bytes as a dependency. */
export type RandomBytes = (count: number) => Uint8Array;
