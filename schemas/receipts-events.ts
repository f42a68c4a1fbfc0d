import { z } from 'zod';
import { seq, userId } from './ids.ts';

/** Watermarks of several users, each only when it advanced. Every fold still takes the maximum. */
export const receiptsAdvanced = z.strictObject({
  type: z.literal('receipts-advanced'),
  marks: z.array(z.strictObject({ userId, delivered: seq, read: seq })).min(1),
});

export const receiptsEvent = z.discriminatedUnion('type', [receiptsAdvanced]);
export type ReceiptsEvent = z.infer<typeof receiptsEvent>;
