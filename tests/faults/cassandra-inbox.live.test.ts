import { join } from 'node:path';
import type { Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Proxy, together } from '../proxy.ts';
import { runParley } from '../run-parley.ts';
import { sayLast } from '../say-last.ts';
import { ServerProcess, temporaryFolder } from '../server-process.ts';
import { periodicCommitLog, startOwnCassandra } from '../servers/cassandra.ts';
import { newKeyspace, urlOfKeyspace } from '../servers/cassandra-keyspace.ts';
import { signToken, tokenSecret } from '../tokens.ts';
import { newId, WireClient } from '../wire-client.ts';

/** As long as clusters wait that nobody has set. */
const forgets = { ...periodicCommitLog, commitlog_sync_period: '10000ms' };

test('D12, I7: a Cassandra that is killed under load and forgets what it acknowledged holds up no send, and in the end lacks nothing', async (context) => {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const own = await startOwnCassandra(forgets);
  if (own === undefined) {
    sayLast('Java 17 or Maven is not installed: no Cassandra was made to forget.');
    context.skip();
    return;
  }
  stack.defer(() => own.stop());
  const carry = (client: Socket, upstream: Socket): void => {
    together(client, upstream);
    client.pipe(upstream);
    upstream.pipe(client);
  };
  // Behind one address, as a supervisor starts it again.
  const proxy = stack.use(await Proxy.open(() => own.port, carry));
  const url = urlOfKeyspace(`cassandra://127.0.0.1:${proxy.port}?dc=datacenter1&rf=1`, newKeyspace());
  const folder = await temporaryFolder('cassandra-inbox');
  stack.defer(() => folder.stop());
  const data = join(folder.path, 'data');
  const env = {
    PARLEY_TOKEN_SECRET: tokenSecret,
    PARLEY_INBOX: url,
    PARLEY_SEND_BURST: '1000000',
    PARLEY_SEND_RATE: '1000000',
  };
  expect(await runParley(data, ['migrate'], env)).toMatchObject({ code: 0, err: '' });
  const server = await ServerProcess.start({ data, env });
  stack.defer(async () => {
    await server.end();
  });
  const { port } = server;

  const names = ['ann', 'ben', 'cyd', 'dan'];
  const people = await Promise.all(names.map((name) => WireClient.live(port, name)));
  for (const person of people) stack.use(person);
  const [ann] = people as [WireClient, ...WireClient[]];
  const members = names.slice(1).map((name) => ({ name }));
  const { conversationId } = await ann.ask({ type: 'create-group', name: 'trip', members });
  let said = 0;
  let written = '';
  /** Everybody says so much at once, and hears that it was accepted. */
  const say = async (each: number): Promise<void> => {
    await Promise.all(
      people.map(async (person) => {
        for (let n = 0; n < each; n++) {
          const messageId = newId();
          person.text(conversationId, `text ${++said}`, messageId);
          const answer = await person.answerTo(messageId);
          if ('readAfter' in answer) written = answer.readAfter;
        }
      }),
    );
  };
  const stateOf = async (): Promise<string | undefined> => {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
    return ((await answer.json()) as { servers?: Record<string, string> }).servers?.['inbox'];
  };
  const unreadOf = async (name: string): Promise<unknown> => {
    const headers = { authorization: `Bearer ${signToken(name, 'phone')}`, 'parley-read-after': written };
    const answer = await fetch(`http://127.0.0.1:${port}/v1/chats`, { headers });
    return answer.status === 200
      ? ((await answer.json()) as { chats: { seq: number }[] }).chats.map(({ seq }) => seq)
      : answer.status;
  };

  let losses = 0;
  // Where nobody says anything meanwhile, no write fails that would show the loss.
  for (const isQuiet of [false, true]) {
    await say(250);
    await expect.poll(() => unreadOf('ann'), { timeout: 60_000 }).toEqual([said]);
    if (!isQuiet) await say(250);
    await own.kill();
    if (!isQuiet) await say(100);
    await expect.poll(stateOf).not.toBe('ok');
    expect(server.output.filter((line) => line.includes('a node of the cluster was lost'))).toHaveLength(++losses);
    await own.startAgain();
    await expect.poll(stateOf).toBe('ok');
    await say(50);
    await expect.poll(() => unreadOf('ben'), { timeout: 60_000 }).toEqual([said]);
    expect(await runParley(data, ['verify'], env)).toMatchObject({ code: 0, err: '' });
  }
  expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });
});
