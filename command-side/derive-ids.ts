import { createHash, createHmac } from 'node:crypto';
import { conversationId, userId, type CommandId, type ConversationId, type UserId } from '../schemas/ids.ts';

const bytesOf = (id: UserId | ConversationId): Buffer => Buffer.from(id, 'base64url');
const realmOf = (id: Buffer): number => (id[0] ?? 0) >>> 2;

/** 16 bytes of a hash whose first six bits are the realm; the ten after them are the bucket, uniform as the hash is. */
const placed = (hash: Buffer, realm: number): string => {
  hash[0] = (realm << 2) | ((hash[0] ?? 0) & 0x03);
  return hash.toString('base64url', 0, 16);
};

/** Lengths stand before the parts, so that no two pairs of an issuer and a name are the same bytes. */
const prefixed = (text: string): Buffer => {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

/** The id of a user whom an outside issuer names. Without the install key nobody learns the name from the id. */
export const deriveUserId = (installKey: Uint8Array, issuer: string, subject: string): UserId =>
  userId.parse(placed(createHmac('sha256', installKey).update(prefixed(issuer)).update(prefixed(subject)).digest(), 0));

/** The same conversation whichever of the two opens it; its realm is that of the smaller id. */
export const deriveDirectId = (one: UserId, other: UserId): ConversationId => {
  const [smaller, greater] = [bytesOf(one), bytesOf(other)].sort((a, b) => Buffer.compare(a, b)) as [Buffer, Buffer];
  return conversationId.parse(
    placed(createHash('sha256').update('direct').update(smaller).update(greater).digest(), realmOf(smaller)),
  );
};

/** A group created again by the same command is the same group. */
export const deriveGroupId = (creator: UserId, command: CommandId): ConversationId => {
  const bytes = bytesOf(creator);
  return conversationId.parse(
    placed(createHash('sha256').update('group').update(bytes).update(command).digest(), realmOf(bytes)),
  );
};
