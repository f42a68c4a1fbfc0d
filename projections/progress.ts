import type { AppliedPosition, ParkedStream } from './read-model.ts';

/** How far a read model has come, for whoever must not read before it has come further. */
export interface Progress {
  /** Reads see everything up to here; undefined: nothing was applied yet. */
  applied(): AppliedPosition | undefined;
  /**
   * Resolves to true as soon as reads see everything up to `place`, to false if they do not by the deadline (in
   * `Clock.monotonic` milliseconds) or the follower has ended.
   */
  waitFor(place: number, deadline: number): Promise<boolean>;
  status(): ProgressStatus;
}

export interface ProgressStatus {
  /** Places between the model and the head of the log: events of any kind. */
  readonly behind: number;
  /** How long the oldest event that is not applied has been waiting for it, in milliseconds; 0 when nothing waits. */
  readonly behindMs: number;
  readonly parked: readonly ParkedStream[];
  /** Streams parked since the follower began, those that go on again among them. */
  readonly everParked: number;
  /** Why it does not go on at the moment; undefined: it does. */
  readonly failing: string | undefined;
}
