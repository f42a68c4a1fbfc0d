import type { RateLimit } from '../command-side/rate-limit.ts';
import { reject, type Rejection } from '../schemas/errors.ts';
import type { UserId } from '../schemas/ids.ts';
import { encodeFrame } from './encode-frame.ts';
import type { PresenceSubscriptions, PresenceViewer } from './presence-subscriptions.ts';

export interface AnswerPresenceDeps {
  readonly subscriptions: PresenceSubscriptions;
  /** Of the requests of a user to be told how others come and go. */
  readonly presenceAllowance: RateLimit;
  readonly warn: (details: Readonly<Record<string, unknown>>, message: string) => void;
}

/** Subscribes a session to how these come and go; the frame that answers it. Never rejects. */
export const answerPresence = async (
  viewer: PresenceViewer,
  users: readonly UserId[],
  place: number,
  { subscriptions, presenceAllowance, warn }: AnswerPresenceDeps,
): Promise<Buffer> => {
  const retryAfterMs = presenceAllowance.take(viewer.userId, 1);
  if (retryAfterMs !== undefined) {
    const message = 'too many requests to be told who is online';
    return errorFrame(reject('rate_limited', message, { limiter: 'presence', retryAfterMs }));
  }
  try {
    const answer = await subscriptions.subscribe(viewer, users, place);
    return Buffer.isBuffer(answer) ? answer : errorFrame(answer);
  } catch (error) {
    warn({ err: error, userId: viewer.userId }, 'who is online could not be read');
    return errorFrame(reject('unavailable', 'who is online cannot be read now'));
  }
};

const errorFrame = (rejection: Rejection): Buffer => encodeFrame({ type: 'error', ...rejection });
