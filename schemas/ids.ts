import { z } from 'zod';
import { uuidV7 } from './uuid-v7.ts';

/** They need no zod, so that a client which makes ids does not carry it. */
export { timeOfUuid, uuidV7 } from './uuid-v7.ts';

/** 16 bytes as base64url: 22 characters, of which the last carries two bits. One spelling per value. */
const sixteenBytes = /^[A-Za-z0-9_-]{21}[AQgw]$/;

export const userId = z.string().regex(sixteenBytes, 'must be a user id of 22 characters').brand<'UserId'>();
export type UserId = z.infer<typeof userId>;

export const conversationId = z
  .string()
  .regex(sixteenBytes, 'must be a conversation id of 22 characters')
  .brand<'ConversationId'>();
export type ConversationId = z.infer<typeof conversationId>;

/** Names one device of a user. Chosen by whoever signs the token; unique within the user. */
export const deviceId = z
  .string()
  .regex(/^[A-Za-z0-9._:-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 . _ : -')
  .brand<'DeviceId'>();
export type DeviceId = z.infer<typeof deviceId>;

/**
 * The id a client gives a command: a UUIDv7, folded to lower case so that one id has one spelling.
 * For a send it is the `messageId`. Its 48 time bits order it in the id window (domain/id-window.ts).
 */
export const commandId = z.uuidv7('must be a UUIDv7').toLowerCase().brand<'CommandId'>();
export type CommandId = z.infer<typeof commandId>;

/** The id of one stored event: a UUIDv7 made by the server. */
export const eventId = z.uuidv7('must be a UUIDv7').toLowerCase().brand<'EventId'>();
export type EventId = z.infer<typeof eventId>;

/** The place of a message in its conversation: 1, 2, 3 … with no hole. 0 is "before the first message". */
export const seq = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
export type Seq = number;

export const newEventId = (timeMs: number, random: Uint8Array): EventId => uuidV7(timeMs, random) as EventId;

const base64url = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

export interface Place {
  /** 0 to 63; 0 until there are several realms. */
  readonly realm: number;
  /** 0 to 1,023, uniformly spread: taken from the hash that made the id. */
  readonly bucket: number;
}

/** Where a user or a conversation lives: the first two bytes of its id, 6 bits of realm and 10 of bucket. */
export const place = (id: UserId | ConversationId): Place => {
  const bits =
    (base64url.indexOf(id.charAt(0)) << 12) | (base64url.indexOf(id.charAt(1)) << 6) | base64url.indexOf(id.charAt(2));
  const firstTwoBytes = bits >>> 2;
  return { realm: firstTwoBytes >>> 10, bucket: firstTwoBytes & 0x3ff };
};

/** The slot whose read models and channel serve an id (design: 64 fixed slots). */
export const slotOf = (id: UserId | ConversationId): number => place(id).bucket % 64;
