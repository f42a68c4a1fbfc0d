/**
 * The one table of everything Parley refuses. A code is for ever; docs/protocol.md repeats the table and a test
 * compares the two.
 *
 * `retry` tells a client what makes sense: `never` (the same request will be refused again), `same_id` (send it again
 * with the same id; its fate is unknown or nothing was written), `after` (the same, but not before `retryAfterMs`),
 * `after_login` (with a new token).
 */
export type Retry = 'never' | 'same_id' | 'after' | 'after_login';

interface ErrorRow {
  readonly http: number;
  readonly retry: Retry;
  readonly means: string;
}

export const errors = {
  invalid: {
    http: 400,
    retry: 'never',
    means: 'A field is missing, unknown or out of its limits; the message names it.',
  },
  unsupported: {
    http: 422,
    retry: 'never',
    means: 'The name is reserved for a feature this server does not have yet.',
  },
  too_large: { http: 413, retry: 'never', means: 'The frame, body or command is larger than the limit named.' },
  text_too_long: {
    http: 413,
    retry: 'never',
    means: 'The text has more characters (Unicode code points) than allowed.',
  },
  unauthenticated: { http: 401, retry: 'after_login', means: 'The token is missing, wrong, expired or revoked.' },
  origin_not_allowed: { http: 403, retry: 'never', means: 'The operator does not allow sockets from this web origin.' },
  admin_required: { http: 403, retry: 'never', means: 'Only an admin of the group may do this.' },
  not_author: { http: 403, retry: 'never', means: 'Only the author of a message may edit or delete it.' },
  route_not_found: { http: 404, retry: 'never', means: 'There is nothing at this address.' },
  conversation_not_found: {
    http: 404,
    retry: 'never',
    means: 'No such conversation, or one of which the caller is not a member: both look the same.',
  },
  message_not_found: { http: 404, retry: 'never', means: 'No such message, or one the caller may not see.' },
  user_not_found: { http: 404, retry: 'never', means: 'No such user is registered.' },
  cursor_unusable: {
    http: 410,
    retry: 'never',
    means: 'The cursor is of another log or beyond the end of this one: drop what you hold and begin without one.',
  },
  message_id_reused: { http: 409, retry: 'never', means: 'This messageId stands for another body or another sender.' },
  command_id_reused: { http: 409, retry: 'never', means: 'This commandId stands for another command or another user.' },
  id_time_ahead: {
    http: 409,
    retry: 'after',
    means: 'The time in the id lies more than five minutes ahead of the server, whose time comes with the answer.',
  },
  message_deleted: { http: 409, retry: 'never', means: 'The message is deleted.' },
  already_member: { http: 409, retry: 'never', means: 'The user is a member already.' },
  not_a_member: { http: 409, retry: 'never', means: 'The user named is not a member of the group.' },
  not_a_group: { http: 409, retry: 'never', means: 'A one-to-one conversation has no name, roles or other members.' },
  own_user: { http: 409, retry: 'never', means: 'The caller cannot name itself here.' },
  group_full: { http: 409, retry: 'never', means: 'The group has as many members as allowed.' },
  blocks_full: { http: 409, retry: 'never', means: 'The block list has as many users as allowed.' },
  rate_limited: { http: 429, retry: 'after', means: 'The limiter named was reached; nothing was written.' },
  busy: { http: 503, retry: 'after', means: 'The queue named is full; nothing was written.' },
  draining: { http: 503, retry: 'after', means: 'This server is shutting down; nothing was written.' },
  read_model_behind: {
    http: 503,
    retry: 'after',
    means: 'The read cannot see the write of its `Parley-Read-After` yet. The write stands; only ask again.',
  },
  read_model_unreachable: {
    http: 503,
    retry: 'after',
    means: 'The store that the read is answered from cannot be read now; only ask again.',
  },
  unavailable: {
    http: 503,
    retry: 'same_id',
    means: 'The fate of the command is unknown or cannot be decided now. Sending it again with the same id is safe.',
  },
  internal: { http: 500, retry: 'same_id', means: 'A fault of the server; it is in its log under the id given.' },
  storage_full: { http: 507, retry: 'same_id', means: 'The log has no room; nothing was written.' },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errors;

/** A refusal as a value. `details` holds what a client may compute with; everything else is for people. */
export interface Rejection {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryAfterMs?: number;
  /** The server's time in milliseconds, with `id_time_ahead`. */
  readonly serverTime?: number;
  /** The limiter that refused, with `rate_limited` and `busy`. */
  readonly limiter?: string;
}

export const reject = (
  code: ErrorCode,
  message: string,
  more: Omit<Rejection, 'code' | 'message'> = {},
): Rejection => ({
  code,
  message,
  ...more,
});

/** Why the server ends a socket. `comeBack`: whether and how a client should connect again. */
interface CloseRow {
  readonly code: number;
  readonly comeBack: 'no' | 'resume' | 'resume_later' | 'after_login';
  readonly means: string;
}

export const closes = {
  protocol_error: { code: 1002, comeBack: 'no', means: 'The bytes are not WebSocket frames.' },
  not_text: { code: 1003, comeBack: 'no', means: 'Frames are JSON in text messages; this one was binary.' },
  not_utf8: { code: 1007, comeBack: 'no', means: 'A text message is not UTF-8.' },
  too_big: { code: 1009, comeBack: 'no', means: 'A message is larger than the limit in `welcome`.' },
  failed: { code: 1011, comeBack: 'resume_later', means: 'A fault of the server.' },
  restarting: { code: 1012, comeBack: 'resume', means: 'The server drains; come back after the wait in the reason.' },
  try_later: { code: 1013, comeBack: 'resume_later', means: 'The server is overloaded.' },
  token_expired: { code: 4401, comeBack: 'after_login', means: 'The token expired or was revoked.' },
  slow_consumer: {
    code: 4408,
    comeBack: 'resume',
    means: 'The client read nothing for 30 seconds while frames waited.',
  },
  too_many_errors: { code: 4429, comeBack: 'resume_later', means: 'Too many frames in a row were refused as invalid.' },
} as const satisfies Record<string, CloseRow>;

export type CloseName = keyof typeof closes;
