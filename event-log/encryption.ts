import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { DataKey } from './data-keys.ts';
import { bufferOf } from './bytes.ts';
import { LogDamaged } from './event-log.ts';

const nonceLength = 12;
const tagLength = 16;
const gcm = { authTagLength: tagLength };

export type RandomBytes = (count: number) => Uint8Array;
export type Nonces = () => Uint8Array;

/** Random nonces, drawn many at a time: a call for twelve bytes costs forty times as much. */
export const pooledNonces = (randomBytes: RandomBytes): Nonces => {
  let pool = new Uint8Array(0);
  let at = 0;
  return () => {
    if (at + nonceLength > pool.length) {
      pool = new Uint8Array(randomBytes(nonceLength * 340));
      at = 0;
    }
    at += nonceLength;
    return pool.subarray(at - nonceLength, at);
  };
};

/** AES-256-GCM: nonce ‖ ciphertext ‖ tag. */
export const encrypt = (key: DataKey, nonce: Uint8Array, associated: Uint8Array, clear: Uint8Array): Buffer => {
  const cipher = createCipheriv('aes-256-gcm', key.key, nonce, gcm);
  cipher.setAAD(associated);
  const bytes = Buffer.allocUnsafe(nonceLength + clear.length + tagLength);
  bytes.set(nonce, 0);
  bytes.set(cipher.update(clear), nonceLength);
  cipher.final();
  bytes.set(cipher.getAuthTag(), nonceLength + clear.length);
  return bytes;
};

export const decrypt = (key: DataKey, associated: Uint8Array, ciphertext: Uint8Array): Buffer => {
  const bytes = bufferOf(ciphertext);
  if (bytes.length < nonceLength + tagLength) throw new LogDamaged('a ciphertext is too short');
  const decipher = createDecipheriv('aes-256-gcm', key.key, bytes.subarray(0, nonceLength), gcm);
  decipher.setAAD(associated);
  decipher.setAuthTag(bytes.subarray(-tagLength));
  const clear = decipher.update(bytes.subarray(nonceLength, -tagLength));
  try {
    decipher.final();
  } catch (cause) {
    throw new LogDamaged('a ciphertext does not fit its key, stream or event id', { cause });
  }
  return clear;
};
