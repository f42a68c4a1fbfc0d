import { globSync, statSync } from 'node:fs';
import { join, matchesGlob } from 'node:path';
import { expect, test } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { loadedBy, read, root } from './deploy-files.ts';

const dockerfile = read('Dockerfile');
const ignored = read('.dockerignore');
const entries = [
  ...globSync('main/{command-side,projections,query-api,realtime,embedded}.ts', { cwd: root }),
  'cli/parley.ts',
];
const isFile = (file: string): boolean => statSync(join(root, file), { throwIfNoEntry: false })?.isFile() === true;

const loaded = loadedBy(entries, isFile);

/** The last line that speaks of a file counts; of a folder, for all below. */
const isSent = (file: string, lines: string): boolean => {
  let sent = true;
  for (const line of lines.split('\n').filter((one) => one !== '' && !one.startsWith('#'))) {
    const pattern = line.replace(/^!/, '');
    // There a star stands for hidden files too.
    if (pattern === '*' || matchesGlob(file, pattern) || matchesGlob(file, `${pattern}/**`))
      sent = line.startsWith('!');
  }
  return sent;
};

const isCopied = (file: string, instructions: string): boolean =>
  [...instructions.matchAll(/^COPY (\S+) \S+$/gm)].some(
    ([, from = '']) => file === from || file.startsWith(`${from}/`),
  );

const missing = (instructions: string, lines: string): readonly string[] =>
  [...loaded].filter((file) => !isCopied(file, instructions) || !isSent(file, lines));

test('the image has every file that a process of it loads, and no test', () => {
  expect(entries).toHaveLength(6);
  expect(loaded.size).toBeGreaterThan(200);
  // What a process loads late or in a thread counts too.
  expect(loaded).toContain('realtime/redis-bus.ts');
  expect(loaded).toContain('event-log/sqlite-writer.ts');
  expect(missing(dockerfile, ignored)).toEqual([]);
  expect(missing(dockerfile.replace('COPY client client\n', ''), ignored)).toContain('client/client.ts');
  expect(missing(dockerfile, ignored.replace('!domain\n', ''))).toEqual(
    [...loaded].filter((file) => file.startsWith('domain/')),
  );
  expect(isSent('tests/deploy-image.test.ts', ignored)).toBe(false);
  expect(isSent('schemas/http.test.ts', ignored)).toBe(false);
  expect(isSent('deploy/secrets/token-secret', ignored)).toBe(false);
  expect(isSent('.git/config', ignored)).toBe(false);
});

test('the image is of the Node that everything is tested on, has no development packages and is not root', () => {
  const [major] = packageJson.dependencies.node.replace('^', '').split('.');
  const images = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
  expect(images).toEqual([`node:${major}-slim`, `node:${major}-slim`]);
  expect(dockerfile).toContain('npm ci --omit=dev');
  expect(/^USER [1-9]\d*:\d+$/m.test(dockerfile.slice(dockerfile.lastIndexOf('FROM ')))).toBe(true);
});
