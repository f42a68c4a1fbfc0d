import { setTimeout as pause } from 'node:timers/promises';
import type { EventLog } from '../event-log/event-log.ts';
import type { ClientFrameOf, ServerFrameOf } from '../schemas/frames.ts';
import type { UserId } from '../schemas/ids.ts';
import { decodeCursor } from '../schemas/position.ts';
import { userStream } from '../schemas/streams.ts';

export type Start =
  /** Everything up to here is with the device. */
  | { readonly place: number }
  /** Nothing is with it but the chats as they were at `chatsAfter`; nothing is the user's before `place`. */
  | { readonly place: number; readonly chatsAfter: number }
  | { readonly reset: Reset };

type Reset = ServerFrameOf<'reset'>['reason'];

/** Where a resume or a first sync begins. */
export const startOf = async (
  frame: ClientFrameOf<'resume' | 'first-sync'>,
  user: UserId,
  log: EventLog,
): Promise<Start> => {
  if (frame.type === 'resume') return frame.cursor === null ? registrationOf(user, log) : placeOf(frame.cursor, log);
  const has = frame.after === null ? { place: 0 } : await placeOf(frame.after, log);
  return 'reset' in has ? has : { ...(await registrationOf(user, log)), chatsAfter: has.place };
};

/** So long a log is waited for that others write too: this process may hear later than they of what a device has. */
const longestWaitMs = 5_000;
const lookAgainMs = 20;

const placeOf = async (
  cursor: string,
  log: EventLog,
): Promise<{ readonly place: number } | { readonly reset: Reset }> => {
  const decoded = decodeCursor(cursor);
  if (decoded === undefined) return { reset: 'malformed_cursor' };
  let located = log.locateCursor(decoded);
  for (let waited = 0; located.where === 'future' && !log.soleWriter && waited < longestWaitMs; waited += lookAgainMs) {
    await pause(lookAgainMs);
    located = log.locateCursor(decoded);
  }
  switch (located.where) {
    case 'known':
      return { place: located.place };
    case 'future':
      return { reset: 'future_cursor' };
    case 'unknown_epoch':
      return { reset: 'unknown_epoch' };
  }
};

/** Nothing before a user's registration can be the user's: only who is registered becomes a member. */
const registrationOf = async (user: UserId, log: EventLog): Promise<{ readonly place: number }> => {
  const [registered] = await log.readStream(userStream(user), 0, 'forwards', 1);
  const located = registered === undefined ? undefined : log.locate(registered.position);
  if (registered === undefined || located?.where !== 'known') throw new Error('a user without a registration resumed');
  return { place: located.place };
};
