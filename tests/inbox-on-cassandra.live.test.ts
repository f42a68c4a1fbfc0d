import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { inboxCassandraTables, tableIn, tableSets } from '../projections/cassandra-inbox-schema.ts';
import { snapshotTables } from '../command-side/cassandra-snapshot-store.ts';
import { runParley } from './run-parley.ts';
import { ServerProcess, temporaryFolder } from './server-process.ts';
import { ownKeyspace, type OwnKeyspace } from './servers/cassandra-keyspace.ts';
import { signToken, tokenSecret } from './tokens.ts';
import { newId, WireClient } from './wire-client.ts';

const stack = new AsyncDisposableStack();
let keyspace: OwnKeyspace;
let folder: string;
beforeAll(async () => {
  const made = await temporaryFolder('inbox-on-cassandra');
  stack.defer(() => made.stop());
  folder = made.path;
  keyspace = stack.use(await ownKeyspace(inject('cassandra'), [snapshotTables, inboxCassandraTables]));
});
afterAll(() => stack.disposeAsync());

const settings = () => ({ PARLEY_TOKEN_SECRET: tokenSecret, PARLEY_INBOX: keyspace.url });
const start = async (data: string): Promise<ServerProcess> => {
  const server = await ServerProcess.start({ data, env: settings() });
  stack.defer(async () => {
    await server.end();
  });
  return server;
};

const read = async (port: number, user: string, path: string, readAfter?: string): Promise<unknown> => {
  const headers = {
    authorization: `Bearer ${signToken(user, 'phone')}`,
    ...(readAfter !== undefined && { 'parley-read-after': readAfter }),
  };
  const answer = await fetch(`http://127.0.0.1:${port}/v1/${path}`, { headers });
  return answer.status === 200 ? answer.json() : answer.status;
};
const texts = async (port: number, user: string, conversation: string, readAfter?: string) => {
  const page = (await read(port, user, `conversations/${conversation}/messages?limit=200`, readAfter)) as {
    messages: { content: { text: string } | null }[];
  };
  return page.messages.map(({ content }) => content?.text ?? null);
};
const say = async (client: WireClient, conversationId: string, text: string): Promise<string> => {
  const messageId = newId();
  client.text(conversationId, text, messageId);
  const answer = await client.answerTo(messageId);
  return 'readAfter' in answer ? answer.readAfter : '';
};

test('I5, I7: a process reads chats and history from Cassandra, sees its writes, rebuilds, switches, verifies and erases', async () => {
  const data = join(folder, 'data');
  const server = await start(data);
  const { port } = server;
  const [ada, bob] = [await WireClient.live(port, 'ada'), await WireClient.live(port, 'bob')];
  const { conversationId } = await ada.ask({ type: 'start-direct', with: { name: 'bob' } });
  let written = '';
  for (let n = 1; n <= 30; n++) written = await say(n % 2 === 0 ? ada : bob, conversationId, `text ${n}`);
  const all = Array.from({ length: 30 }, (_, n) => `text ${n + 1}`);
  expect(await texts(port, 'ada', conversationId, written)).toEqual(all);
  expect(await read(port, 'bob', 'unread')).toMatchObject({ unread: 1, chats: 1 });
  expect(await read(port, 'cyd', `conversations/${conversationId}/messages`)).toBe(404);

  const rebuilt = await runParley(data, ['rebuild', 'inbox'], settings());
  expect(rebuilt).toMatchObject({ code: 0, out: expect.stringContaining('equals the one built anew') as string });
  expect(rebuilt.out).toMatch(/live: .*-b2/);
  written = await say(bob, conversationId, 'after the switch');
  expect(await texts(port, 'ada', conversationId, written)).toEqual([...all, 'after the switch']);
  expect(await runParley(data, ['verify'], settings())).toMatchObject({ code: 0 });
  // What was switched to stays so over a restart, which begins where nothing can be lost any more.
  expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });
  const again = await start(data);
  expect(await texts(again.port, 'ada', conversationId, written)).toEqual([...all, 'after the switch']);
  expect((await runParley(data, ['rebuild', 'inbox', '--status'], settings())).out).toMatch(/live: .*-b2/);
  expect(await runParley(data, ['rebuild', 'inbox', '--drop'], settings())).toMatchObject({ code: 0 });

  expect(await runParley(data, ['erase', 'bob', '--yes'], settings())).toMatchObject({ code: 0, err: '' });
  const left = [...all.map((text, n) => (n % 2 === 0 ? null : text)), null];
  expect(await texts(again.port, 'ada', conversationId)).toEqual(left);
  expect(await heldTexts()).toEqual(all.filter((_, n) => n % 2 === 1).toSorted());
  await again.end('SIGTERM');
});

/** What any version holds, as it stands in its rows. */
const heldTexts = async (): Promise<readonly string[]> => {
  const found = await Promise.all(
    tableSets.map((set) => keyspace.connection.client.execute(`SELECT content FROM ${tableIn(set, 'message')}`)),
  );
  return found
    .flatMap(({ rows }) => rows.map((row) => String(row['content'])).filter((text) => text !== ''))
    .toSorted();
};

test('a log that was restored to before what the inbox holds gets new tables, without a row of the tail that is lost', async () => {
  const [data, backups, restored] = [join(folder, 'lost'), join(folder, 'backups'), join(folder, 'restored')];
  const server = await start(data);
  const [ada, bob] = [await WireClient.live(server.port, 'ada'), await WireClient.live(server.port, 'bob')];
  const { conversationId } = await ada.ask({ type: 'start-direct', with: { name: 'bob' } });
  await say(ada, conversationId, 'kept');
  expect(await runParley(data, ['backup', backups], settings())).toMatchObject({ code: 0 });
  let written = '';
  for (let n = 0; n < 5; n++) written = await say(bob, conversationId, `lost ${n}`);
  expect(await texts(server.port, 'ada', conversationId, written)).toHaveLength(6);
  await server.end('SIGTERM');

  expect(await runParley(restored, ['restore', backups, '--data', restored])).toMatchObject({ code: 0 });
  const again = await start(restored);
  const device = await WireClient.live(again.port, 'bob');
  written = await say(device, conversationId, 'new');
  expect(await texts(again.port, 'ada', conversationId, written)).toEqual(['kept', 'new']);
  expect(await heldTexts()).toEqual(['kept', 'new']);
  expect(await runParley(restored, ['verify'], settings())).toMatchObject({ code: 0 });
  await again.end('SIGTERM');
});
