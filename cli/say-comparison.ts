import type { Comparison } from '../projections/compare-dumps.ts';

/** `other` is what the live version was compared with. */
export const sayComparison = (what: string, other: string, comparison: Comparison): void => {
  const { equal, lines, hashes, differences, examples } = comparison;
  if (equal) {
    process.stdout.write(`${what} equals ${other}: ${lines} rows, sha256 ${hashes[0]}\n`);
    return;
  }
  process.stdout.write(`${what} differs from ${other} in ${differences} rows\n`);
  for (const { only, row } of examples) process.stdout.write(`  only in ${only === 'one' ? what : other}: ${row}\n`);
};
