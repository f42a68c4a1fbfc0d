import { z } from 'zod';
import { logId } from './position.ts';

/**
 * A log's epoch begins. Positions of events from here on name `log`; a position of the parent stays valid up to its
 * cut. `base` is added to positions of this log to give the integer that rises along the line.
 */
export const epochStarted = z.strictObject({
  type: z.literal('epoch-started'),
  log: logId,
  parent: z.strictObject({ log: logId, cut: z.int().min(0) }).nullable(),
  base: z.int().min(0),
  reason: z.enum(['new', 'restored', 'copied']),
});

export const logEvent = z.discriminatedUnion('type', [epochStarted]);
export type LogEvent = z.infer<typeof logEvent>;
