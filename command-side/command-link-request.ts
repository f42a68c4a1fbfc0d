import type { LinkAnswer } from '../schemas/command-link.ts';

/** Something handed over that has no answer yet. */
export interface LinkedRequest {
  /** Of this request for as long as it lives, whichever command side it is given to. */
  readonly number: number;
  /** What has one is decided in the order in which it was handed over. */
  readonly lane: string;
  /** As it is sent. */
  readonly text: string;
  readonly bytes: number;
  readonly handedOverAt: number;
  /** When it is given up, in milliseconds of the monotonic clock. */
  giveUpAt: number;
  /** When it was sent to the command side that has it. */
  sentAt: number;
  /** Its caller has an answer; where it was sent to it may still be under way. */
  isSettled: boolean;
  readonly settle: (answer: LinkAnswer) => void;
}
