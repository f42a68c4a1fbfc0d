export interface BenchOptions {
  /** One short run instead of the median of five long ones. */
  readonly quick: boolean;
  /** `ceiling` alone: the command of another bare server to alternate with. */
  readonly beside: string | undefined;
}
