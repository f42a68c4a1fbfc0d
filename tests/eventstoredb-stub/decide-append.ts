import { type ExpectedRevision, tombstoneRevision } from './stored-event.ts';

export interface StreamNow {
  /** -1n: it has no event. */
  readonly last: bigint;
  readonly softDeleted: boolean;
  idAt(revision: bigint): string | undefined;
  /** The revision of an event of this stream that was written lately; forgotten when the server restarts. */
  recentRevisionOf(id: string): bigint | undefined;
}

export type Decision =
  | { readonly kind: 'write' }
  | { readonly kind: 'repeated'; readonly last: bigint }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'deleted' };

/** As the real server decides: a repeat at its exact revision is known from the log, one under "any" only from memory. */
export const decideAppend = (expected: ExpectedRevision, ids: readonly string[], stream: StreamNow): Decision => {
  if (stream.last === tombstoneRevision) return { kind: 'deleted' };
  if (expected === 'stream_exists' && stream.last < 0n) return { kind: 'conflict' };
  if (expected === 'any' || expected === 'stream_exists') return decideAnywhere(ids, stream);
  const expectedLast = expected === 'no_stream' ? -1n : expected;
  if (expectedLast === stream.last) return { kind: 'write' };
  if (expectedLast > stream.last) return { kind: 'conflict' };
  const same = ids.filter((id, i) => stream.idAt(expectedLast + 1n + BigInt(i)) === id).length;
  if (ids.length > 0 && same === ids.length) return { kind: 'repeated', last: expectedLast + BigInt(same) };
  return same === 0 && expected === 'no_stream' && stream.softDeleted ? { kind: 'write' } : { kind: 'conflict' };
};

const decideAnywhere = (ids: readonly string[], stream: StreamNow): Decision => {
  const known = ids.map((id) => stream.recentRevisionOf(id));
  const last = known.at(-1);
  if (known[0] === undefined) return { kind: 'write' };
  return last === undefined || known.includes(undefined) ? { kind: 'conflict' } : { kind: 'repeated', last };
};
