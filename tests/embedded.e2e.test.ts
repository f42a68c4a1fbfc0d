import { execFile } from 'node:child_process';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ServerProcess, temporaryFolder, type ServerOptions } from './server-process.ts';
import { tokenSecret } from './tokens.ts';
import { newId, WireClient } from './wire-client.ts';

const root = join(import.meta.dirname, '..');
const stack = new AsyncDisposableStack();
let folders: string;
beforeAll(async () => {
  const folder = await temporaryFolder('embedded');
  stack.defer(() => folder.stop());
  folders = folder.path;
});
afterAll(() => stack.disposeAsync());

let made = 0;
const newData = (): string => join(folders, `data-${made++}`);
const env = { PARLEY_TOKEN_SECRET: tokenSecret };
const start = async (data: string, options: ServerOptions = { env }): Promise<ServerProcess> => {
  const server = await ServerProcess.start({ ...options, data });
  stack.defer(async () => {
    await server.end();
  });
  return server;
};

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A process that is expected to end by itself. */
const run = (file: string, words: readonly string[], settings: Record<string, string>): Promise<Ran> =>
  new Promise((resolve) => {
    const environment = { PATH: process.env['PATH'] ?? '', ...settings };
    const child = execFile(process.execPath, [join(root, file), ...words], { env: environment }, (_error, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
const fails = async (settings: Record<string, string>): Promise<string> => {
  const { code, out, err } = await run('main/embedded.ts', [], { PARLEY_PORT: '0', ...settings });
  expect({ code, out, lines: err.trimEnd().split('\n').length }).toEqual({ code: 2, out: '', lines: 1 });
  return err;
};
const ready = async ({ port }: ServerProcess): Promise<{ status: number; body: unknown }> => {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`);
  return { status: response.status, body: await response.json() };
};

test('O1: an empty folder is a server: it prints its address, is alive and ready, and two people chat', async () => {
  const data = newData();
  const server = await start(data, {});
  expect(server.output).toEqual([`parley listens on http://127.0.0.1:${server.port}`]);
  expect((await fetch(`http://127.0.0.1:${server.port}/livez`)).status).toBe(200);
  expect(await ready(server)).toMatchObject({
    status: 200,
    body: {
      status: 'ok',
      checks: { log: 'ok', sockets: 'ok' },
      readModels: { inbox: 'ok', search: 'ok' },
      servers: {},
    },
  });
  expect((await stat(join(data, 'token-secret'))).mode & 0o777).toBe(0o600);

  const tokenOf = async (name: string): Promise<string> =>
    (await run('cli/parley.ts', ['token', name, '--device', 'laptop'], { PARLEY_DATA: data })).out.trim();
  const alice = await WireClient.open(server.port, 'alice', 'laptop', await tokenOf('alice'));
  const bob = await WireClient.open(server.port, 'bob', 'laptop', await tokenOf('bob'));
  bob.send({ type: 'resume', cursor: null });
  await bob.next('synced');
  const { conversationId } = await alice.ask({ type: 'start-direct', with: { name: 'bob' } });
  alice.text(conversationId, 'hello');
  expect(await bob.next('message')).toMatchObject({ seq: 1, content: { text: 'hello' } });

  const verified = await run('cli/parley.ts', ['verify'], { PARLEY_DATA: data });
  expect(verified).toMatchObject({
    code: 0,
    out: expect.stringMatching(
      /^\d+ events in \d+ streams, 0 findings\n(?:the live \w+ equals a fresh fold of the log: .+\n){2}$/,
    ) as string,
  });
});

test('O5, N9: SIGTERM answers what is under way, sends 1012 with a time to come back at, and exits 0; a second one is no worse', async () => {
  const data = newData();
  const burst = { ...env, PARLEY_SEND_BURST: '100000' };
  const server = await start(data, { env: burst });
  const [alice, bob] = [await WireClient.live(server.port, 'alice'), await WireClient.live(server.port, 'bob')];
  const others = await Promise.all(Array.from({ length: 100 }, (_, i) => WireClient.live(server.port, `other ${i}`)));
  const { conversationId } = await alice.ask({ type: 'start-direct', with: { name: 'bob' } });
  const ids = Array.from({ length: 2_000 }, newId);
  for (const id of ids) alice.text(conversationId, id, id);
  await bob.next('message', ({ seq }) => seq > 20);
  server.kill('SIGTERM');
  server.kill('SIGTERM');
  const ends = await Promise.all([alice, bob, ...others].map(({ ended }) => ended));
  expect(new Set(ends.map(({ code }) => code))).toEqual(new Set([1012]));
  expect(ends.every(({ reason }) => /^retry in \d+ ms$/.test(reason))).toBe(true);
  expect(await server.exited).toEqual({ code: 0, signal: null });

  const accepted = alice.of('accepted').filter(({ messageId }) => messageId !== undefined);
  const again = await start(data, { env: burst });
  const reader = await WireClient.live(again.port, 'bob');
  const stored = new Map(reader.of('message').map(({ messageId, seq }) => [messageId, seq]));
  expect(accepted.length).toBeGreaterThan(20);
  for (const { messageId, seq } of accepted) expect(messageId === undefined ? 0 : stored.get(messageId)).toBe(seq);
  expect([...stored.values()]).toEqual(Array.from({ length: stored.size }, (_, i) => i + 1));
});

test('D9: a second process on the same data refuses, naming the one that runs, which is unharmed', async () => {
  const data = newData();
  const server = await start(data);
  expect(await fails({ PARLEY_DATA: data, ...env })).toContain(String(server.pid));
  expect((await ready(server)).status).toBe(200);
});

describe('what cannot be used is one clear line and exit code 2', () => {
  test('data that are no log of ours, and stay as they were', async () => {
    const [garbage, foreign, file] = [newData(), newData(), newData()];
    await mkdir(garbage, { recursive: true });
    await writeFile(join(garbage, 'log.sqlite'), 'x'.repeat(10_000));
    expect(await fails({ PARLEY_DATA: garbage, ...env })).toContain('log.sqlite');
    expect((await stat(join(garbage, 'log.sqlite'))).size).toBe(10_000);
    await mkdir(foreign, { recursive: true });
    const database = new DatabaseSync(join(foreign, 'log.sqlite'));
    database.exec('create table theirs (a)');
    database.close();
    expect(await fails({ PARLEY_DATA: foreign, ...env })).toContain('log.sqlite');
    await writeFile(file, '');
    expect(await fails({ PARLEY_DATA: file, ...env })).toContain(file);
  });

  test('a place that cannot be written', async () => {
    expect(await fails({ PARLEY_DATA: '/sys/parley', ...env })).toContain('/sys/parley');
  });

  test('a port that is taken', async () => {
    const server = await start(newData());
    const port = String(server.port);
    expect(await fails({ PARLEY_DATA: newData(), ...env, PARLEY_PORT: port })).toContain(port);
  });

  test('O8: a setting nobody knows, several that are wrong, a secret for development where others can connect', async () => {
    expect(await fails({ PARLEY_DATA: newData(), PARLEY_X: '1' })).toContain('PARLEY_X');
    const several = await fails({ PARLEY_DATA: newData(), PARLEY_PORT: 'x', PARLEY_SEND_RATE: '0' });
    expect(several).toMatch(/PARLEY_PORT.*PARLEY_SEND_RATE/);
    expect(await fails({ PARLEY_DATA: newData(), PARLEY_HOST: '0.0.0.0' })).toContain('PARLEY_TOKEN_SECRET');
  });
});

test('the command line: words it does not know are answered with the usage and exit code 2', async () => {
  for (const words of [
    [],
    ['nonsense'],
    ['token'],
    ['token', 'a', '--expires', 'never'],
    ['config'],
    ['verify', 'all'],
  ]) {
    const { code, out, err } = await run('cli/parley.ts', words, { PARLEY_DATA: newData() });
    expect({ words, code, out }).toEqual({ words, code: 2, out: '' });
    expect(err).toContain('usage:');
  }
  const printed = await run('cli/parley.ts', ['config', 'print'], env);
  expect(printed).toMatchObject({ code: 0, out: expect.stringContaining('PARLEY_TOKEN_SECRET=(set)') as string });
});
