/** Limits an operator may change, with the values they have unless changed (design §4). */
export interface Limits {
  /** Unicode code points of one text. */
  readonly textCharacters: number;
  readonly groupMembers: number;
  /** In a conversation with more members nobody sees the marks of others. */
  readonly receiptsMembers: number;
  /** In a conversation with more members nobody is told how others come and go without asking. */
  readonly presenceMembers: number;
  /** Commands of one user that may come at once, and how many a second refill that allowance. */
  readonly sendBurst: number;
  readonly sendsPerSecond: number;
  /** The same for marks, which come for every chat at once when a device returns; they take nothing from the sends. */
  readonly markBurst: number;
  readonly marksPerSecond: number;
  /** The same for reads over REST. */
  readonly readBurst: number;
  readonly readsPerSecond: number;
}

export const defaultLimits: Limits = {
  textCharacters: 100_000,
  groupMembers: 100,
  receiptsMembers: 1_000,
  presenceMembers: 500,
  sendBurst: 60,
  sendsPerSecond: 1,
  markBurst: 2_000,
  marksPerSecond: 10,
  readBurst: 1_000,
  readsPerSecond: 50,
};

/** How many connections are let in. */
export interface AdmissionLimits {
  readonly socketsPerUser: number;
  /** For each address, of IPv6 each network of 64 bits; this machine's own are not counted. */
  readonly socketsPerAddress: number;
  /** Handshakes of all that may come at once, and how many a second refill that allowance. */
  readonly handshakeBurst: number;
  readonly handshakesPerSecond: number;
}

/**
 * The largest legal frame or body, in bytes: a client that escapes everything outside ASCII spends twelve bytes on one
 * emoji (`\ud83d\ude00`), and the rest of a send fits into 16 KiB.
 */
export const frameBytes = (limits: Limits): number => limits.textCharacters * 12 + 16_384;

/** How far the time in a client's id may lie ahead of the server, in milliseconds. */
export const idTimeAheadMs = 5 * 60_000;

/** How many users one may block: every connection of the user holds the list. */
export const mostBlocked = 10_000;

/** How many users one socket may be told of as they come and go. */
export const mostPresenceUsers = 200;

/** The window of ids of a conversation: this many newest by arrival, and as many greatest by id time. */
export const idWindowSize = 2_000;
