import type { EventLog } from '../event-log/event-log.ts';
import { reject, type Rejection } from '../schemas/errors.ts';
import { decodeCursor } from '../schemas/position.ts';

export type CursorPlace =
  { readonly ok: true; readonly place: number } | { readonly ok: false; readonly rejection: Rejection };

const unusable: CursorPlace = {
  ok: false,
  rejection: reject('cursor_unusable', 'after: is of another log, or beyond the end of this one'),
};

/** The place after which a client wants to hear what changed. */
export const placeOfCursor = (cursor: string | undefined, eventLog: EventLog): CursorPlace => {
  if (cursor === undefined) return { ok: true, place: 0 };
  const decoded = decodeCursor(cursor);
  if (decoded === undefined) return { ok: false, rejection: reject('invalid', 'after: is not a cursor') };
  const located = eventLog.locateCursor(decoded);
  return located.where === 'known' ? { ok: true, place: located.place } : unusable;
};
