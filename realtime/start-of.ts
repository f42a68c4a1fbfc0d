import type { EventLog } from '../event-log/event-log.ts';
import type { ServerFrameOf } from '../schemas/frames.ts';
import type { UserId } from '../schemas/ids.ts';
import { decodeCursor } from '../schemas/position.ts';
import { userStream } from '../schemas/streams.ts';

export type Start =
  /** Everything up to here is with the device. */
  { readonly place: number } | { readonly reset: ServerFrameOf<'reset'>['reason'] };

/** Where a resume begins. */
export const startOf = async (cursor: string | null, user: UserId, log: EventLog): Promise<Start> => {
  if (cursor === null) return registrationOf(user, log);
  const decoded = decodeCursor(cursor);
  if (decoded === undefined) return { reset: 'malformed_cursor' };
  const located = log.locateCursor(decoded);
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
const registrationOf = async (user: UserId, log: EventLog): Promise<Start> => {
  const [registered] = await log.readStream(userStream(user), 0, 'forwards', 1);
  const located = registered === undefined ? undefined : log.locate(registered.position);
  if (registered === undefined || located?.where !== 'known') throw new Error('a user without a registration resumed');
  return { place: located.place };
};
