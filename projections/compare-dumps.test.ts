import { expect, test } from 'vitest';
import { compareDumps } from './compare-dumps.ts';

async function* dump(...rows: readonly (readonly unknown[])[]): AsyncGenerator<string> {
  await Promise.resolve();
  for (const row of rows) yield JSON.stringify(row);
}

test('equal dumps are equal and have one hash', async () => {
  const rows = [
    ['user', 'a', 1],
    ['message', 'c', 1, 'secret'],
  ];
  const { hashes, ...rest } = await compareDumps(dump(...rows), dump(...rows));
  expect(rest).toEqual({ lines: 2, equal: true, differences: 0, examples: [] });
  expect(hashes[0]).toBe(hashes[1]);
});

test('names rows that are missing, more or other, and no content', async () => {
  const one = [
    ['user', 'a'],
    ['user', 'b'],
    ['message', 'c', 1, 'secret'],
    ['message', 'c', 3, 'same'],
  ];
  const other = [
    ['user', 'a'],
    ['message', 'c', 1, 'secreT'],
    ['message', 'c', 2, 'more'],
    ['message', 'c', 3, 'same'],
  ];
  const { equal, differences, examples } = await compareDumps(dump(...one), dump(...other));
  expect({ equal, differences }).toEqual({ equal: false, differences: 4 });
  expect(examples).toEqual([
    { only: 'one', row: 'user b' },
    { only: 'one', row: 'message c 1' },
    { only: 'other', row: 'message c 1' },
    { only: 'other', row: 'message c 2' },
  ]);
});

test('the same rows in another order are no difference but another hash', async () => {
  const { equal, differences } = await compareDumps(dump(['a'], ['b']), dump(['b'], ['a']));
  expect({ equal, differences }).toEqual({ equal: false, differences: 0 });
});
