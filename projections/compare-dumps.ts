import { createHash } from 'node:crypto';

export interface Comparison {
  readonly lines: number;
  /** SHA-256 of each dump. */
  readonly hashes: readonly [one: string, other: string];
  readonly equal: boolean;
  /** How many lines stand in one dump only; not all are counted when there are very many. */
  readonly differences: number;
  /** The first of them: what they are of and which ids they have, never what somebody wrote. */
  readonly examples: readonly { readonly only: 'one' | 'other'; readonly row: string }[];
}

const mostHeld = 100_000;
const mostExamples = 20;
const fieldsNamed = 3;

const rowOf = (line: string): string => {
  const fields: unknown = JSON.parse(line);
  return Array.isArray(fields) ? fields.slice(0, fieldsNamed).map(String).join(' ') : 'a line that is no row';
};

/** Compares two canonical dumps of a read model line by line, in memory that does not grow with what is equal. */
export const compareDumps = async (one: AsyncIterable<string>, other: AsyncIterable<string>): Promise<Comparison> => {
  const unmatched = { one: new Set<string>(), other: new Set<string>() };
  const hashes = { one: createHash('sha256'), other: createHash('sha256') };
  const ends = { one: one[Symbol.asyncIterator](), other: other[Symbol.asyncIterator]() };
  let lines = 0;

  const take = async (from: 'one' | 'other'): Promise<boolean> => {
    const next = await ends[from].next();
    if (next.done === true) return false;
    hashes[from].update(next.value).update('\n');
    const across = unmatched[from === 'one' ? 'other' : 'one'];
    if (!across.delete(next.value) && unmatched[from].size < mostHeld) unmatched[from].add(next.value);
    return true;
  };
  for (;;) {
    const [hasOne, hasOther] = [await take('one'), await take('other')];
    if (hasOne) lines++;
    if (!hasOne && !hasOther) break;
  }

  const [first, second] = [hashes.one.digest('hex'), hashes.other.digest('hex')];
  const examples = (['one', 'other'] as const).flatMap((only) =>
    [...unmatched[only]].slice(0, mostExamples).map((line) => ({ only, row: rowOf(line) })),
  );
  const differences = unmatched.one.size + unmatched.other.size;
  return { lines, hashes: [first, second], equal: first === second, differences, examples };
};
