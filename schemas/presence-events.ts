import { z } from 'zod';
import { wellFormed } from './content.ts';

export const availability = z.enum(['available', 'away', 'busy']);
export type Availability = z.infer<typeof availability>;

export const cameOnline = z.strictObject({ type: z.literal('came-online') });

export const wentOffline = z.strictObject({
  type: z.literal('went-offline'),
  /** The last activity in milliseconds: earlier than the event where a lease ran out. */
  lastSeen: z.int().min(0),
});

export const statusAnnounced = z.strictObject({
  type: z.literal('status-announced'),
  availability,
  /** Personal; null when the user's key is gone. */
  text: wellFormed.max(500).nullable(),
});

export const presenceEvent = z.discriminatedUnion('type', [cameOnline, wentOffline, statusAnnounced]);
export type PresenceEvent = z.infer<typeof presenceEvent>;
