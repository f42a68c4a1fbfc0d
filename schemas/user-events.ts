import { z } from 'zod';
import { wellFormed } from './content.ts';
import { commandId, conversationId, deviceId, seq, userId } from './ids.ts';

export const userKind = z.enum(['person', 'bot', 'guest', 'imported']);
export const displayName = wellFormed.min(1).max(200);
export const userProfile = z.strictObject({
  displayName: displayName.optional(),
  statusText: wellFormed.max(500).optional(),
});

/** Personal fields are null when the user's key is gone. */
const personal = <T extends z.ZodType>(field: T): z.ZodNullable<T> => field.nullable();

export const userRegistered = z.strictObject({
  type: z.literal('user-registered'),
  kind: userKind,
  /** Who vouches for the user, and under which name: where an outside issuer's token is the account. */
  issuer: personal(wellFormed.min(1).max(500)),
  subject: personal(wellFormed.min(1).max(500)),
});

export const profileChanged = z.strictObject({
  type: z.literal('profile-changed'),
  commandId,
  /** The whole profile after the change. */
  profile: personal(userProfile),
});

export const contactSaved = z.strictObject({
  type: z.literal('contact-saved'),
  commandId,
  contact: userId,
  alias: personal(displayName),
});

export const contactRemoved = z.strictObject({ type: z.literal('contact-removed'), commandId, contact: userId });

export const userBlocked = z.strictObject({ type: z.literal('user-blocked'), commandId, blocked: userId });
export const userUnblocked = z.strictObject({ type: z.literal('user-unblocked'), commandId, blocked: userId });

export const chatSettingsChanged = z.strictObject({
  type: z.literal('chat-settings-changed'),
  commandId,
  conversationId,
  /** Muted until this time in milliseconds; 0 is not muted. */
  mutedUntil: z.int().min(0),
  pinned: z.boolean(),
  /** Archived up to this seq: a later message brings the chat back; null is not archived. */
  archivedAt: seq.nullable(),
});

export const sessionsEnded = z.strictObject({
  type: z.literal('sessions-ended'),
  /** null ends the sessions of every device. */
  deviceId: deviceId.nullable(),
  commandId,
  reason: z.enum(['signed-out', 'revoked', 'password-changed']),
});

export const userDisabled = z.strictObject({ type: z.literal('user-disabled'), disabled: z.boolean() });
export const userErased = z.strictObject({ type: z.literal('user-erased') });

export const userEvent = z.discriminatedUnion('type', [
  userRegistered,
  profileChanged,
  contactSaved,
  contactRemoved,
  userBlocked,
  userUnblocked,
  chatSettingsChanged,
  sessionsEnded,
  userDisabled,
  userErased,
]);
export type UserEvent = z.infer<typeof userEvent>;
