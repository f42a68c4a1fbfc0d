/** Limits an operator may change, with the values they have unless changed (design §4). */
export interface Limits {
  /** Unicode code points of one text. */
  readonly textCharacters: number;
  readonly groupMembers: number;
  /** Commands of one user that may come at once, and how many a second refill that allowance. */
  readonly sendBurst: number;
  readonly sendsPerSecond: number;
}

export const defaultLimits: Limits = {
  textCharacters: 100_000,
  groupMembers: 100,
  sendBurst: 60,
  sendsPerSecond: 1,
};

/**
 * The largest legal frame or body, in bytes: a client that escapes everything outside ASCII spends twelve bytes on one
 * emoji (`\ud83d\ude00`), and the rest of a send fits into 16 KiB.
 */
export const frameBytes = (limits: Limits): number => limits.textCharacters * 12 + 16_384;

/** How far the time in a client's id may lie ahead of the server, in milliseconds. */
export const idTimeAheadMs = 5 * 60_000;

/** The window of ids of a conversation: this many newest by arrival, and as many greatest by id time. */
export const idWindowSize = 2_000;
