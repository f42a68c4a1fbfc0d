import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { userStream } from '../schemas/streams.ts';
import { newUserId } from '../projections/story.fixture.ts';
import { accountsFile } from './data-files.ts';
import { runParley } from './run-parley.ts';
import { ServerProcess, temporaryFolder } from './server-process.ts';
import { signToken, tokenSecret } from './tokens.ts';
import { newId, WireClient } from './wire-client.ts';

const stack = new AsyncDisposableStack();
let folder: string;
beforeAll(async () => {
  const made = await temporaryFolder('erasure');
  stack.defer(() => made.stop());
  folder = made.path;
});
afterAll(() => stack.disposeAsync());

const start = async (data: string): Promise<ServerProcess> => {
  const server = await ServerProcess.start({ data, env: { PARLEY_TOKEN_SECRET: tokenSecret } });
  stack.defer(async () => {
    await server.end();
  });
  return server;
};
const get = async ({ port }: ServerProcess, user: string, path: string): Promise<{ status: number; body: unknown }> => {
  const response = await fetch(`http://127.0.0.1:${port}/v1${path}`, {
    headers: { authorization: `Bearer ${signToken(user, 'phone')}` },
  });
  return { status: response.status, body: await response.json() };
};
/** The files below a directory in which one of the words stands. */
const filesHolding = async (directory: string, words: readonly string[]): Promise<string[]> => {
  const found: string[] = [];
  for (const file of await readdir(directory, { recursive: true })) {
    const path = join(directory, file);
    if (!(await stat(path)).isFile()) continue;
    const bytes = await readFile(path);
    for (const word of words) if (bytes.includes(word)) found.push(`${file}: ${word}`);
  }
  return found;
};

test('C22: what an erased user wrote is nowhere on the disk; what others wrote stands, and nobody comes back', async () => {
  const data = join(folder, 'data');
  const backups = join(folder, 'backups');
  const server = await start(data);
  const canaries = [
    'quokkaname',
    'quokkaprofile',
    'quokkastatus',
    'quokkadirect',
    'quokkagroup',
    'quokkaedited',
    'quokkaplace',
  ];
  const said = (content: object, conversationId: string, messageId = newId()) => ({
    type: 'send',
    messageId,
    conversationId,
    content,
  });
  const ada = await WireClient.live(server.port, 'quokkaname');
  const bob = await WireClient.live(server.port, 'bob');
  await ada.save({ type: 'change-profile', displayName: 'quokkaprofile', statusText: 'quokkastatus' });
  const { conversationId: direct } = await ada.ask({ type: 'start-direct', with: { name: 'bob' } });
  const { conversationId: group } = await bob.ask({
    type: 'create-group',
    name: 'a group',
    members: [{ name: 'quokkaname' }],
  });
  const first = newId();
  ada.send(said({ type: 'text', text: 'hello quokkadirect' }, direct, first));
  expect((await ada.answerTo(first)).type).toBe('accepted');
  bob.text(direct, 'wombats stay');
  const [inGroup, place] = [newId(), newId()];
  ada.send(said({ type: 'text', text: 'hello quokkagroup' }, group, inGroup));
  expect((await ada.answerTo(inGroup)).type).toBe('accepted');
  await ada.ask({ type: 'edit', conversationId: group, seq: 1, content: { type: 'text', text: 'now quokkaedited' } });
  ada.send(said({ type: 'location', latitude: 1, longitude: 2, label: 'quokkaplace' }, group, place));
  expect((await ada.answerTo(place)).type).toBe('accepted');

  const { port } = server;
  await expect
    .poll(async () => JSON.stringify((await get(server, 'bob', '/search?q=quokkaedited')).body))
    .toContain('quokkaedited');
  expect((await runParley(data, ['backup', backups])).code).toBe(0);
  expect((await filesHolding(data, canaries)).length).toBeGreaterThan(0);

  expect(await runParley(data, ['erase', 'quokkaname'])).toMatchObject({
    code: 2,
    err: expect.stringContaining('--yes') as string,
  });
  expect(await runParley(data, ['erase', 'nobody', '--yes'])).toMatchObject({ code: 2 });
  expect(await runParley(data, ['erase', 'quokkaname', '--yes'])).toMatchObject({ code: 0, err: '' });
  expect((await ada.ended).code).toBe(4401);
  expect((await runParley(data, ['erase', 'quokkaname', '--yes'])).out).toContain('was erased before');

  expect((await get(server, 'quokkaname', '/chats')).status).toBe(401);
  const history = JSON.stringify((await get(server, 'bob', `/conversations/${direct}/messages`)).body);
  expect(history).toContain('wombats stay');
  expect(history).toContain('"content":null');
  expect(history).not.toContain('quokka');
  expect(JSON.stringify((await get(server, 'bob', '/search?q=quokkagroup')).body)).not.toContain('hello');
  // A device that knows nothing gets what is left of it, also from what the server held in memory.
  const again = await WireClient.live(port, 'bob', 'tablet');
  expect(JSON.stringify(again.frames)).toContain('wombats stay');
  expect(JSON.stringify(again.frames)).not.toContain('quokka');

  await expect.poll(() => filesHolding(data, canaries)).toEqual([]);
  expect(await filesHolding(backups, canaries)).toEqual([]);
  const ledger = await readFile(join(backups, 'erased.json'), 'utf8');
  expect(ledger).toContain(ada.of('welcome')[0]?.userId);
  await bob.close();
  await again.close();
  await server.end('SIGTERM');
  expect(await filesHolding(data, canaries)).toEqual([]);

  const verified = await runParley(data, ['verify']);
  expect(verified).toMatchObject({ code: 0, out: expect.stringContaining('0 findings') as string });
  const restarted = await start(data);
  expect((await get(restarted, 'quokkaname', '/chats')).status).toBe(401);
  expect(JSON.stringify((await get(restarted, 'bob', `/conversations/${group}/messages`)).body)).not.toContain(
    'quokka',
  );
  expect((await stat(accountsFile(data))).size).toBeGreaterThan(0);
});

test('the admin socket is for the owner of the data alone, refuses what makes no sense, and goes with the server', async () => {
  const data = join(folder, 'admin');
  const server = await start(data);
  expect((await stat(join(data, 'admin.sock'))).mode & 0o777).toBe(0o600);
  const refused = await runParley(data, ['park', 'retry', 'inbox', 'nonsense']);
  expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('must be the name of a stream') as string });
  const unparked = await runParley(data, ['park', 'retry', 'inbox', userStream(newUserId())]);
  expect(unparked).toMatchObject({ code: 2, err: expect.stringContaining('it is not parked') as string });
  expect(await runParley(data, ['park', 'list'])).toMatchObject({ code: 0, out: '0 streams are parked\n' });
  expect((await server.end('SIGTERM')).code).toBe(0);
  expect(await readdir(data)).not.toContain('admin.sock');
  // Without a server the command takes the lock itself.
  expect(await runParley(data, ['park', 'list'])).toMatchObject({ code: 0, out: '0 streams are parked\n' });
});
