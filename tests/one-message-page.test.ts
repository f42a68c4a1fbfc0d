import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const page = readFileSync(new URL('../docs/one-message.md', import.meta.url), 'utf8');
const sourceOf = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

/** Names in back quotes that are followed by the file they are in: `name` … ([file](../file)). */
const named = [...page.matchAll(/`([A-Za-z.#]+)`[^`]*?\(\[([^\]]+)\]\(\.\.\/[^)]+\)\)/gs)].map(
  ([, name = '', file = '']) => ({
    name: name.split('.').at(-1)?.replace('#', '') ?? '',
    file: file.replaceAll(/\s/g, ''),
  }),
);

test('the page names functions and their files', () => {
  expect(named.length).toBeGreaterThan(20);
});

test.each(named)('$name is in $file', ({ name, file }) => {
  expect(sourceOf(file)).toMatch(new RegExp(`\\b${name}\\b`));
});

test('every file the page links to is the file it says', () => {
  for (const [, said, target] of page.matchAll(/\[([^\]]+\.ts)\]\(\.\.\/([^)]+)\)/g)) expect(target).toBe(said);
});

test('every other function the page names exists somewhere', () => {
  const root = new URL('..', import.meta.url);
  const files = execFileSync('git', ['ls-files', '*.ts'], { cwd: root, encoding: 'utf8' }).trim().split('\n');
  const sources = files
    .filter((file) => !file.endsWith('.test.ts'))
    .map(sourceOf)
    .join('\n');
  const names = [...page.matchAll(/`([A-Za-z]+\.)?#?([a-z]+[A-Z][A-Za-z]*)`/g)].map(([, , name = '']) => name);
  expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(sources))).toEqual([]);
});
