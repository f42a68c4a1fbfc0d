import { readUuid } from '../event-log/bytes.ts';
import type { CommandId, ConversationId, UserId } from '../schemas/ids.ts';

/**
 * Words that every store of the inbox keeps as their place in a list; a list only grows at its end, for what is stored is
 * compared between stores.
 */
export const kinds = ['direct', 'group'] as const;
export const roles = ['member', 'admin'] as const;
export const availabilities = ['available', 'away', 'busy'] as const;

/** How many seqs share their counts of messages by sender. */
export const bucketSize = 5_000;
export const bucketOf = (seq: number): number => Math.floor(seq / bucketSize);

/** Ids are stored as their 16 bytes. */
export const idBytes = (id: string): Buffer => Buffer.from(id, 'base64url');

const sixteen = (bytes: Buffer): Buffer => {
  if (bytes.length !== 16) throw new Error(`an id of ${bytes.length} bytes`);
  return bytes;
};
export const userIdOf = (bytes: Buffer): UserId => sixteen(bytes).toString('base64url') as UserId;
export const conversationIdOf = (bytes: Buffer): ConversationId =>
  sixteen(bytes).toString('base64url') as ConversationId;
export const commandIdOf = (bytes: Buffer): CommandId => readUuid(sixteen(bytes)) as CommandId;
