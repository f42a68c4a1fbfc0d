/**
 * What the client's errors mean. Some come with a class of their own (`type`), some with gRPC's code alone, some with
 * neither: then the text tells. The table was made from what servers 23.10.6 and 24.2.0 answered.
 */
export type Fault =
  /** The stream's revision is another one. */
  | 'conflict'
  | 'too_large'
  | 'stream_missing'
  /** A tombstone: this program deletes no stream. */
  | 'stream_deleted'
  /** The connection broke, or never was. */
  | 'gone'
  /** It answers, and does nothing yet: it starts, elects a leader or is overwhelmed. */
  | 'not_ready'
  | 'not_leader'
  /** It gave up waiting: for itself or for a leader that is dead. */
  | 'late'
  /** A subscription that fell behind was ended. Routine. */
  | 'slow'
  /** No event begins at the position. */
  | 'bad_position'
  | 'denied'
  /** TLS: a certificate that does not hold, or one side that speaks plain text. */
  | 'untrusted'
  | 'unsupported'
  | 'strange';

interface Row {
  readonly fault: Fault;
  /** All that are given have to fit. */
  readonly type?: string;
  readonly code?: number;
  readonly text?: RegExp;
}

const code = {
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  permissionDenied: 7,
  resourceExhausted: 8,
  aborted: 10,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** The first row that fits counts. */
const table: readonly Row[] = [
  { fault: 'conflict', type: 'wrong-expected-version' },
  { fault: 'too_large', type: 'maximum-append-size-exceeded' },
  { fault: 'stream_missing', type: 'stream-not-found' },
  { fault: 'stream_deleted', type: 'stream-deleted' },
  { fault: 'not_leader', type: 'not-leader' },
  { fault: 'denied', type: 'access-denied' },
  { fault: 'denied', code: code.permissionDenied },
  { fault: 'denied', code: code.unauthenticated },
  { fault: 'slow', code: code.aborted, text: /too slow|resubscription/i },
  { fault: 'late', type: 'deadline-exceeded' },
  // 24.2 says that the position is invalid, 23.10 that there was an error.
  { fault: 'bad_position', code: code.unknown, text: /Unexpected ReadAllResult: (InvalidPosition|Error)/ },
  { fault: 'bad_position', code: code.invalidArgument, text: /invalid position/i },
  { fault: 'not_ready', text: /Server Is (Not Ready|Too Busy)/i },
  { fault: 'unsupported', type: 'unsupported' },
  { fault: 'unsupported', code: code.unimplemented },
  {
    fault: 'untrusted',
    code: code.unavailable,
    text: /certificate|altnames|SSL routines|wrong version number|EPROTO/i,
  },
  { fault: 'gone', type: 'unavailable' },
  { fault: 'gone', code: code.unavailable },
  { fault: 'gone', code: code.cancelled },
  { fault: 'gone', code: code.internal, text: /RST_STREAM/ },
  // A message above gRPC's own limit: with the stream of appends goes what was under way on it.
  { fault: 'gone', code: code.resourceExhausted },
  { fault: 'gone', text: /Failed to discover|Channel (has been shut down|closed)|write after end|GOAWAY|ECONN/i },
];

const fieldOf = (error: Error, name: 'type' | 'code'): unknown =>
  Object.entries(error).find(([key]) => key === name)?.[1];

export const faultOf = (error: Error): Fault => {
  const [type, gRPCCode] = [fieldOf(error, 'type'), fieldOf(error, 'code')];
  const row = table.find(
    (one) =>
      (one.type === undefined || one.type === type) &&
      (one.code === undefined || one.code === gRPCCode) &&
      (one.text === undefined || one.text.test(error.message)),
  );
  return row?.fault ?? 'strange';
};

/** What an append comes to that failed so. `unknown` is given again, the identical batch; nothing else is. */
export type FailedAppend = 'conflict' | 'too_large' | 'not_taken' | 'unknown';

export const failedAppend = (fault: Fault): FailedAppend => {
  switch (fault) {
    case 'conflict':
    case 'too_large':
      return fault;
    case 'denied':
    case 'stream_deleted':
    case 'unsupported':
      return 'not_taken';
    // Perhaps written; and what is known not to be, for it was answered before, is worth the same second try.
    case 'gone':
    case 'not_ready':
    case 'not_leader':
    case 'late':
    case 'untrusted':
    case 'slow':
    case 'bad_position':
    case 'stream_missing':
    case 'strange':
      return 'unknown';
  }
};

/** Whether waiting cannot mend it: somebody has to change the setting or the server. */
export const isForGood = (fault: Fault): boolean =>
  fault === 'denied' || fault === 'untrusted' || fault === 'unsupported' || fault === 'stream_deleted';

export const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)));
