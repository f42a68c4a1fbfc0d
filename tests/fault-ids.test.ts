import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const never = new Set(['node_modules', '.git', '.cache', 'data', 'coverage']);

/** The faults, abuses and complaints that must be shown to be survived. */
const asked = [
  ...['D1', 'D2', 'D3', 'D4', 'D5', 'D6', 'D7', 'D8', 'D9', 'D11', 'D12', 'D13', 'D14'],
  ...['M1', 'M2', 'M3', 'M4', 'M5', 'M6', 'M7', 'M8', 'M9'],
  ...['C1', 'C2', 'C5', 'C10', 'C12', 'C13', 'C14', 'C15'],
  ...['N1', 'N3', 'N6', 'N7', 'N8', 'N9', 'N10'],
  ...['P1', 'P2', 'P3', 'P4', 'P5', 'P6', 'P8', 'S1', 'S6', 'S18', 'T1'],
];

const testFiles = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (never.has(entry.name)) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return testFiles(path);
    return /\.(test|contract)\.ts$/.test(entry.name) ? [path] : [];
  });

/** Ids in the titles of tests and of what groups them: the first argument, whatever stands between `test` and it. */
const titledIds = (code: string): string[] =>
  [...code.matchAll(/\b(?:test|it|describe)\b[^'"`\n]*\(\s*(['"`])(.*?)\1/g)].flatMap(([, , title]) =>
    [...(title ?? '').matchAll(/\b[A-Z][0-9]{1,2}\b/g)].map(([id]) => id),
  );

test('every fault asked for has a test that carries its id in its title', () => {
  const shown = new Set(testFiles(root).flatMap((file) => titledIds(readFileSync(file, 'utf8'))));
  expect(asked.filter((id) => !shown.has(id))).toEqual([]);
});

test('only titles count', () => {
  expect(titledIds("test('X1: killed', () => {}); // X2\nconst d = 'X3';")).toEqual(['X1']);
  expect(titledIds('test.skipIf(!strace)(`X3 and X4 of ${name}`, run)')).toEqual(['X3', 'X4']);
  expect(titledIds("test.each([1, 2])('X1 (%i)', run); describe('X2', () => {});")).toEqual(['X1', 'X2']);
});
