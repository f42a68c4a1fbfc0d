import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from './server-process.ts';

const root = join(import.meta.dirname, '..');
const run = promisify(execFile);
const node = (words: readonly string[], cwd = root) => run(process.execPath, words, { cwd });

test('what is published is JavaScript that any Node loads by its names, with declarations', async () => {
  const folder = await temporaryFolder('published');
  onTestFinished(() => folder.stop());
  const parley = join(folder.path, 'node_modules/parley');
  await mkdir(parley, { recursive: true });
  await cp(join(root, 'package.json'), join(parley, 'package.json'));
  // For the types alone: nothing of the client needs it when it runs.
  await symlink(join(root, 'node_modules/zod'), join(folder.path, 'node_modules/zod'));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  await node([tsc, '-p', 'client/tsconfig.json', '--outDir', join(parley, 'dist')]);

  const application = `
    import { connect, memoryStorage, type Client } from 'parley/client';
    import { fileStorage } from 'parley/client/file-storage';
    import { indexedDbStorage } from 'parley/client/indexeddb-storage';
    const client: Client = await connect({ url: 'http://127.0.0.1:9', token: () => '', storage: memoryStorage() });
    client.on('message', ({ message }) => console.log(message.seq.toFixed(0)));
    await client.close();
    console.log(typeof fileStorage, typeof indexedDbStorage);`;
  await writeFile(join(folder.path, 'application.mts'), application);
  const checks = { noEmit: true, strict: true, module: 'nodenext', lib: ['es2024', 'dom'], types: [] };
  const project = { compilerOptions: checks, files: ['application.mts'] };
  await writeFile(join(folder.path, 'tsconfig.json'), JSON.stringify(project));
  await node([tsc, '-p', 'tsconfig.json'], folder.path);
  const { stdout } = await node(['application.mts'], folder.path);
  expect(stdout).toBe('function function\n');
});

test('the size is the one client/README.md states, and nothing of zod or of a server is in it', async () => {
  const folder = await temporaryFolder('bundled');
  onTestFinished(() => folder.stop());
  const file = join(folder.path, 'client.js');
  const rolldown = join(root, 'node_modules/.bin/rolldown');
  await node([rolldown, 'client/client.ts', '--minify', '--format', 'esm', '--file', file]);
  const bundle = await readFile(file);
  const readme = await readFile(join(root, 'client/README.md'), 'utf8');
  const [, minified, compressed] = /(\d+) kB minified, ([\d.]+) kB compressed/.exec(readme) ?? [];
  expect(Math.abs(bundle.length / 1_000 - Number(minified))).toBeLessThan(1);
  expect(Math.abs(gzipSync(bundle, { level: 9 }).length / 1_000 - Number(compressed))).toBeLessThan(0.3);
  expect(bundle.toString()).not.toMatch(/\bimport\b|ZodError|require\(/);
});
