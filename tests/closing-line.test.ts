import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';

const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
const sayLast = `import { sayLast } from '${join(import.meta.dirname, 'say-last.ts')}';\n`;
const config = {
  test: { globals: true, reporters: ['default', join(import.meta.dirname, 'closing-line-reporter.ts')] },
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-closing-line-'));
  await writeFile(join(folder, 'vitest.config.mjs'), `export default ${JSON.stringify(config)};`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs the given test files in a vitest of their own: what its output ends with, and its exit code. */
const run = async (files: Record<string, string>, ...options: string[]) => {
  const names = Object.keys(files).map((name) => join(folder, name));
  await Promise.all(Object.values(files).map((code, i) => writeFile(names[i] ?? '', sayLast + code)));
  const child = spawn(process.execPath, [vitest, 'run', '--root', folder, ...options], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [output, code] = await Promise.all([text(child.stdout), new Promise((resolve) => child.once('exit', resolve))]);
  await Promise.all(names.map((name) => rm(name)));
  return { code, last: (count: number) => output.trimEnd().split('\n').slice(-count) };
};

test('the last line counts the cases of all files, and says what was noted before it, once', async () => {
  const { code, last } = await run({
    'a.test.ts':
      "sayLast('F1 did not run: no strace'); test.skip('F1', () => {}); test('b', () => {}); test.todo('c');",
    'b.test.ts': "sayLast('F1 did not run: no strace'); test('d', () => sayLast('D2 did not run\\nhere'));",
  });
  expect(last(1)).toEqual(['2 passed, 0 failed, 2 skipped']);
  expect(last(4).slice(0, 3).toSorted()).toEqual(['D2 did not run', 'F1 did not run: no strace', 'here']);
  expect(code).toBe(0);
});

test('a failed case is counted, named with its error, and fails the run', async () => {
  const { code, last } = await run({ 'a.test.ts': "test('a', () => expect(1).toBe(2)); test('b', () => {});" });
  expect(last(2)).toEqual([
    'Failed: a.test.ts > a: expected 1 to be 2 // Object.is equality',
    '1 passed, 1 failed, 0 skipped',
  ]);
  expect(code).toBe(1);
});

test('a file that does not load, and an error outside any test, fail the run and are named', async () => {
  const { code, last } = await run({
    'a.test.ts': "test('a', async () => { void Promise.reject(new Error('b')); await new Promise(setImmediate); });",
    'b.test.ts': "throw new Error('c');",
  });
  expect(last(3)).toEqual([
    'b.test.ts failed outside its tests. The run has failed.',
    'Errors outside any test: 1. The run has failed.',
    '1 passed, 0 failed, 0 skipped',
  ]);
  expect(code).toBe(1);
});

test('a worker that dies fails the run', async () => {
  const { code, last } = await run({ 'a.test.ts': "test('a', () => { process.kill(process.pid, 'SIGKILL'); });" });
  expect(last(1)).toEqual(['0 passed, 1 failed, 0 skipped']);
  expect(code).toBe(1);
});

test('no test file at all is said', async () => {
  const { code, last } = await run({}, '--passWithNoTests');
  expect(last(2)[1]).toBe('0 passed, 0 failed, 0 skipped');
  expect(last(2)[0]).toMatch(/no test file matches/);
  expect(code).toBe(0);
});
