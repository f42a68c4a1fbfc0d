import { z } from 'zod';
import { logId } from './position.ts';

export const mostPairs = 10_000;

/**
 * A log's epoch begins. Positions of events from here on name `log`; a position of the parent stays valid up to its
 * cut. `base` is added to positions of this log to give the integer that rises along the line. A copy's `pairs` are places
 * on the line and numbers in its own store, both rising: up to a place all events lie up to that number, and all after it
 * behind, so that a reader finds what was copied.
 */
export const epochStarted = z.strictObject({
  type: z.literal('epoch-started'),
  log: logId,
  parent: z.strictObject({ log: logId, cut: z.int().min(0) }).nullable(),
  base: z.int().min(0),
  reason: z.enum(['new', 'restored', 'copied']),
  pairs: z.array(z.tuple([z.int().min(0), z.int().min(0)])).max(mostPairs),
});

export const logEvent = z.discriminatedUnion('type', [epochStarted]);
export type LogEvent = z.infer<typeof logEvent>;
