import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { HttpBetween, type Meet } from './http-between.ts';
import { runParley } from './run-parley.ts';
import { ServerProcess, temporaryFolder } from './server-process.ts';
import { signToken, tokenSecret } from './tokens.ts';
import { newId, WireClient } from './wire-client.ts';

const stack = new AsyncDisposableStack();
const prefix = `test-${randomBytes(6).toString('hex')}`;
let folder: string;
beforeAll(async () => {
  const made = await temporaryFolder('search-on-elasticsearch');
  stack.defer(() => made.stop());
  folder = made.path;
});
afterAll(async () => {
  for (const index of await indices()) await fetch(`${inject('elasticsearch')}/${index}`, { method: 'DELETE' });
  await stack.disposeAsync();
});

/** By the names of the installation, which are those of its key: a copy has them too. */
const indices = async (): Promise<string[]> => {
  const answer = await fetch(`${inject('elasticsearch')}/_cat/indices/${prefix}-*?format=json&h=index`);
  return ((await answer.json()) as { index: string }[]).map(({ index }) => index);
};

const settings = (search = `${inject('elasticsearch')}/${prefix}`) => ({
  PARLEY_TOKEN_SECRET: tokenSecret,
  PARLEY_SEARCH: search,
});
const start = async (data: string, search?: string): Promise<ServerProcess> => {
  const server = await ServerProcess.start({ data, env: settings(search) });
  stack.defer(async () => {
    await server.end();
  });
  return server;
};

interface Found {
  readonly status: number;
  readonly seqs: readonly number[];
}
const search = async (port: number, user: string, words: string, readAfter?: string): Promise<Found> => {
  const headers = {
    authorization: `Bearer ${signToken(user, 'phone')}`,
    ...(readAfter !== undefined && { 'parley-read-after': readAfter }),
  };
  const answer = await fetch(`http://127.0.0.1:${port}/v1/search?limit=100&q=${encodeURIComponent(words)}`, {
    headers,
  });
  const { hits = [] } = (await answer.json()) as { hits?: { seq: number }[] };
  return { status: answer.status, seqs: hits.map(({ seq }) => seq) };
};
const say = async (client: WireClient, conversationId: string, text: string): Promise<string> => {
  const messageId = newId();
  client.text(conversationId, text, messageId);
  const answer = await client.answerTo(messageId);
  return 'readAfter' in answer ? answer.readAfter : '';
};

test('I5, I7: a process answers searches out of Elasticsearch, sees its writes, rebuilds, switches and verifies', async () => {
  const data = join(folder, 'data');
  const server = await start(data);
  const { port } = server;
  const [ada, bob] = [await WireClient.live(port, 'ada'), await WireClient.live(port, 'bob')];
  const { conversationId } = await ada.ask({ type: 'start-direct', with: { name: 'bob' } });
  for (let n = 1; n <= 50; n++) {
    const written = await say(n % 2 === 0 ? ada : bob, conversationId, `the quick café ${n}`);
    if (n % 10 === 0) expect((await search(port, 'ada', `cafe ${n}`, written)).seqs).toContain(n);
  }
  expect(await search(port, 'cyd', 'cafe')).toEqual({ status: 200, seqs: [] });

  const rebuilt = await runParley(data, ['rebuild', 'search'], settings());
  expect(rebuilt).toMatchObject({ code: 0, out: expect.stringContaining('equals the one built anew') as string });
  expect(rebuilt.out).toMatch(/live: .*-b2/);
  const written = await say(bob, conversationId, 'after the switch');
  expect(await search(port, 'ada', 'switch', written)).toEqual({ status: 200, seqs: [51] });
  expect(await runParley(data, ['verify'], settings())).toMatchObject({ code: 0 });
  // What was switched to stays so over a restart.
  expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });
  const again = await start(data);
  await expect.poll(() => search(again.port, 'ada', 'switch')).toEqual({ status: 200, seqs: [51] });
  expect((await runParley(data, ['rebuild', 'search', '--status'], settings())).out).toMatch(/live: .*-b2/);
  expect(await runParley(data, ['rebuild', 'search', '--drop'], settings())).toMatchObject({ code: 0 });
  expect(await indices()).toHaveLength(1);

  expect(await runParley(data, ['erase', 'bob', '--yes'], settings())).toMatchObject({ code: 0, err: '' });
  const left = await search(again.port, 'ada', 'cafe');
  expect(left.seqs.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 25 }, (_, n) => 2 * n + 2));
  await again.end('SIGTERM');
});

test('a log that was restored to before what the index holds gets a new index, without a row of the tail that is lost', async () => {
  const [data, backups, restored] = [join(folder, 'lost'), join(folder, 'backups'), join(folder, 'restored')];
  const url = `${inject('elasticsearch')}/${prefix}-restored`;
  const indicesHere = async () => (await indices()).filter((index) => index.startsWith(`${prefix}-restored-`));
  const server = await start(data, url);
  const [ada, bob] = [await WireClient.live(server.port, 'ada'), await WireClient.live(server.port, 'bob')];
  const { conversationId } = await ada.ask({ type: 'start-direct', with: { name: 'bob' } });
  await say(ada, conversationId, 'kept one');
  expect(await runParley(data, ['backup', backups], settings(url))).toMatchObject({ code: 0 });
  let written = '';
  for (let n = 0; n < 5; n++) written = await say(bob, conversationId, `lost ${n}`);
  expect((await search(server.port, 'ada', 'lost', written)).seqs).toHaveLength(5);
  await server.end('SIGTERM');
  const before = await indicesHere();

  expect(await runParley(restored, ['restore', backups, '--data', restored])).toMatchObject({ code: 0 });
  const again = await start(restored, url);
  const device = await WireClient.live(again.port, 'bob');
  written = await say(device, conversationId, 'new one');
  expect(await search(again.port, 'ada', 'lost', written)).toEqual({ status: 200, seqs: [] });
  expect(await search(again.port, 'ada', 'one', written)).toEqual({ status: 200, seqs: [2, 1] });
  const now = await indicesHere();
  expect(now).toHaveLength(1);
  expect(before).not.toContain(now[0]);
  expect(await runParley(restored, ['verify'], settings(url))).toMatchObject({ code: 0 });
  await again.end('SIGTERM');
});

const json = { 'content-type': 'application/json', 'x-elastic-product': 'Elasticsearch' };
const answered = (status: number, body: object, headers = json) =>
  Promise.resolve({ status, headers, body: Buffer.from(JSON.stringify(body)) });
const refusals: readonly (readonly [why: string, says: RegExp, meet: Meet])[] = [
  ['credentials', /refuses the user or the password/, () => answered(401, { error: { type: 'security_exception' } })],
  ['rights', /lets this user do too little/, () => answered(403, { error: { type: 'security_exception' } })],
  [
    'another product',
    /this is no Elasticsearch/,
    () => answered(200, { nodes: {} }, { ...json, 'x-elastic-product': 'Another' }),
  ],
  ['an old version', /9\.0 or newer/, () => answered(200, { nodes: { one: { version: '8.19.21' } } })],
  ['an older one', /9\.0 or newer/, () => answered(400, { error: { type: 'media_type_header_exception' } })],
];

test.for(refusals)(
  '%s: the start ends with one line that names the setting, and exit code 2',
  async ([, says, meet]) => {
    const between = await HttpBetween.open(() => inject('elasticsearch'), meet);
    onTestFinished(() => between[Symbol.asyncDispose]());
    const data = join(folder, `refused-${randomBytes(4).toString('hex')}`);
    const url = between.url.replace('//', '//somebody:password@');
    const failure = await ServerProcess.start({ data, env: settings(url) }).then(
      () => 'it started',
      (error: unknown) => (error instanceof Error ? error.message : 'no error'),
    );
    expect(failure).toMatch(/ended with 2/);
    const lines = failure.split('\n').filter((line) => line.includes('parley cannot start'));
    expect(lines).toEqual([expect.stringMatching(/^parley cannot start: PARLEY_SEARCH: /)]);
    expect(lines[0]).toMatch(says);
    expect(failure).not.toContain('somebody:password');
  },
);

test('an index of ours that somebody changed ends the start with a line that names it', async () => {
  const data = join(folder, 'changed');
  const server = await start(data, `${inject('elasticsearch')}/${prefix}-changed`);
  await expect.poll(indices).toContainEqual(expect.stringContaining(`${prefix}-changed`));
  await server.end('SIGTERM');
  const index = (await indices()).find((name) => name.startsWith(`${prefix}-changed`)) ?? '';
  const mapping = JSON.stringify({ properties: { of: { type: 'keyword' } } });
  const headers = { 'content-type': 'application/json' };
  await fetch(`${inject('elasticsearch')}/${index}/_mapping`, { method: 'PUT', headers, body: mapping });
  const failure = start(data, `${inject('elasticsearch')}/${prefix}-changed`);
  await expect(failure).rejects.toThrow(`PARLEY_SEARCH: the index ${index} has not the mapping`);
});
