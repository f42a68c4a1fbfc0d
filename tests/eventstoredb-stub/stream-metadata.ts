import { isMetadataStream, tombstoneRevision } from './stored-event.ts';

export interface StreamMetadata {
  /** As it was written, so that one key can be changed. */
  readonly raw: Readonly<Record<string, unknown>>;
  readonly maxCount: bigint | undefined;
  readonly maxAgeSeconds: bigint | undefined;
  readonly truncateBefore: bigint;
}

/** Of a stream nobody set metadata for; those of metadata themselves keep the newest only. */
export const noMetadata = (stream: string): StreamMetadata => ({
  raw: {},
  maxCount: isMetadataStream(stream) ? 1n : undefined,
  maxAgeSeconds: undefined,
  truncateBefore: 0n,
});

export const readMetadata = (data: Uint8Array): StreamMetadata => {
  const raw = JSON.parse(Buffer.from(data).toString()) as Record<string, unknown>;
  const integer = (key: string): bigint | undefined => {
    const value = raw[key];
    return typeof value === 'number' ? BigInt(value) : undefined;
  };
  return {
    raw,
    maxCount: integer('$maxCount'),
    maxAgeSeconds: integer('$maxAge'),
    truncateBefore: integer('$tb') ?? 0n,
  };
};

/** By hand: 2^63 - 1, which hides a deleted stream, is no number. */
export const writeTruncateBefore = ({ raw }: StreamMetadata, revision: bigint): Uint8Array => {
  const rest = Object.fromEntries(Object.entries(raw).filter(([key]) => key !== '$tb'));
  const others = JSON.stringify(rest).slice(1);
  return Buffer.from(`{"$tb":${revision}${others === '}' ? '' : ','}${others}`);
};

/** Read back as a number it is rounded up. */
export const isSoftDeleted = ({ truncateBefore }: StreamMetadata): boolean => truncateBefore >= tombstoneRevision;

/** What a read of the stream leaves out, until a scavenge would take it away; a read of `$all` still has it. */
export const hiddenBy = (
  { maxCount, maxAgeSeconds, truncateBefore }: StreamMetadata,
  lastRevision: bigint,
  now: bigint,
): { revisionsBelow: bigint; createdBefore: bigint } => {
  const beyondCount = maxCount === undefined ? 0n : lastRevision - maxCount + 1n;
  return {
    revisionsBelow: beyondCount > truncateBefore ? beyondCount : truncateBefore,
    createdBefore: maxAgeSeconds === undefined ? 0n : now - maxAgeSeconds * 10_000_000n,
  };
};
