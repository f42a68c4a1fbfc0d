import { z } from 'zod';

/** Text that survives UTF-8: a lone surrogate would become U+FFFD and make two different bodies equal. */
export const wellFormed = z.string().refine((text) => text.isWellFormed(), 'must not hold a lone surrogate');

export const textContent = z.strictObject({ type: z.literal('text'), text: wellFormed.min(1) });

export const locationContent = z.strictObject({
  type: z.literal('location'),
  latitude: z.number().min(-90).max(90),
  longitude: z.number().min(-180).max(180),
  label: wellFormed.min(1).max(1_000).optional(),
});

/** What a message says. The limit on a text's length is configuration and is checked by the decider. */
export const messageContent = z.discriminatedUnion('type', [textContent, locationContent]);
export type MessageContent = z.infer<typeof messageContent>;

/** Content types that have their name but no code yet; a send of one is refused as `unsupported`. */
export const reservedContentTypes = ['image', 'video', 'file', 'sealed'] as const;

/** Parts of a send that have their name but no code yet; likewise. */
export const reservedSendFields = ['threadRoot', 'mentions', 'forwardedFrom', 'importedFrom'] as const;

export const conversationName = wellFormed.min(1).max(200);
