import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { openEventstoredbLogStore } from '../event-log/eventstoredb-log-store.ts';
import { openEventLog } from '../event-log/open-event-log.ts';
import { commandId, uuidV7, type CommandId } from '../schemas/ids.ts';
import type { Command } from '../schemas/commands.ts';
import { conversationStream } from '../schemas/streams.ts';
import { accepted, conversationOf, TestClock } from '../tests/commands-under-test.ts';
import { quick } from '../tests/eventstoredb-scene.ts';
import { startStub } from '../tests/eventstoredb-stub/start-stub.ts';
import { linkTo, type OpenLink } from '../tests/linked-commands.ts';
import { Proxy, together } from '../tests/proxy.ts';
import { signToken } from '../tests/tokens.ts';
import type { Caller, CommandAnswer } from './command-gateway.ts';
import { randomPool } from './random-pool.ts';
import { openSqliteAccountsStore } from './sqlite-accounts-store.ts';

type SendCommand = Extract<Command, { type: 'send' }>;

const randomBytes = randomPool();
const clock = new TestClock();
const newId = (): CommandId => commandId.parse(uuidV7(clock.now(), randomBytes(10)));

interface CommandSideApart {
  readonly port: number;
  stop(): Promise<void>;
}

const commandSideApart = async (url: string, directory: string, name: string): Promise<CommandSideApart> => {
  const worker = new Worker(new URL('../tests/linked-command-side.fixture.ts', import.meta.url), {
    workerData: { url, directory, name },
  });
  const [port] = (await once(worker, 'message')) as [number];
  return {
    port,
    async stop() {
      const ended = once(worker, 'exit');
      worker.postMessage('stop');
      await ended;
    },
  };
};

const signedIn = async (link: OpenLink, name: string): Promise<Caller> => {
  const answer = await link.signIn(signToken(name, 'phone'));
  if (!answer.ok) throw new Error(answer.rejection.message);
  return answer.caller;
};

const messages = 120;

test('D7, F57: two command sides on one conversation, by links that are cut: one line of seqs, nothing lost or doubled, each caller in order', async () => {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'parley-links-'));
  stack.defer(() => rm(directory, { recursive: true }));
  const stub = await startStub();
  stack.defer(() => stub.stop());
  const path = join(directory, 'accounts.db');
  const accounts = await openSqliteAccountsStore({ path, whenMissing: 'create', cachedKeys: 10_000 });
  stack.defer(() => accounts.close());

  const store = await openEventstoredbLogStore({
    url: stub.url,
    warn: () => undefined,
    times: quick,
    resubscribed: () => undefined,
  });
  const log = await openEventLog({ store, keys: accounts, clock, randomBytes });
  stack.defer(() => log.close());
  const sides = await Promise.all(['one', 'other'].map((name) => commandSideApart(stub.url, directory, name)));
  for (const side of sides) stack.defer(() => side.stop());
  const cuts = new Set<() => void>();
  const proxies = await Promise.all(
    sides.map((side) =>
      Proxy.open(
        () => side.port,
        (client, upstream) => {
          cuts.add(together(client, upstream));
          client.pipe(upstream);
          upstream.pipe(client);
        },
      ),
    ),
  );
  for (const proxy of proxies) stack.use(proxy);
  const [one = '', other = ''] = sides.map(({ port }) => `http://127.0.0.1:${port}`);
  const links = {
    ada: stack.use(linkTo([one])),
    bob: stack.use(linkTo([other])),
    carol: stack.use(linkTo(proxies.map(({ port }) => `http://127.0.0.1:${port}`))),
  };
  const [ada, bob, carol] = [
    await signedIn(links.ada, 'ada'),
    await signedIn(links.bob, 'bob'),
    await signedIn(links.carol, 'carol'),
  ];
  const members = [bob.userId, carol.userId];
  const conversationId = conversationOf(
    await links.ada.gateway.submit(ada, { type: 'create-group', commandId: newId(), name: 'all', members }),
  );

  const sent: {
    readonly by: Caller;
    readonly link: OpenLink;
    readonly command: SendCommand;
    answer: Promise<CommandAnswer>;
  }[] = [];
  for (let index = 0; index < messages; index++) {
    for (const [by, link] of [
      [ada, links.ada],
      [bob, links.bob],
      [carol, links.carol],
    ] as const) {
      const command: SendCommand = {
        type: 'send',
        messageId: newId(),
        conversationId,
        content: { type: 'text', text: String(index) },
      };
      sent.push({ by, link, command, answer: link.gateway.submit(by, command) });
    }
    if (index % 10 === 9) {
      await sent.at(-30)?.answer;
      for (const cut of cuts) cut();
      cuts.clear();
    }
  }
  const seqs = await Promise.all(sent.map(async ({ answer }) => accepted(await answer).seq));
  expect(seqs.toSorted((a = 0, b = 0) => a - b)).toEqual(sent.map((_, index) => index + 1));
  expect(links.carol.metric('parley_command_link_given_again_total')).toBeGreaterThan(0);

  const recorded = [];
  for (let from = 0; ; from = recorded.length) {
    const page = await log.readStream(conversationStream(conversationId), from, 'forwards', 500);
    if (page.length === 0) break;
    recorded.push(...page);
  }
  const logged = recorded.flatMap(({ event }) => (event?.type === 'message-sent' ? [event] : []));
  expect(logged.map(({ seq }) => seq)).toEqual(sent.map((_, index) => index + 1));
  for (const { userId } of [ada, bob, carol])
    expect(logged.filter(({ by }) => by === userId).map(({ content }) => content)).toEqual(
      Array.from({ length: messages }, (_, index) => ({ type: 'text', text: String(index) })),
    );

  // By another way the same id has the same answer.
  const again = sent.map(({ by, command, link }) =>
    (link === links.bob ? links.ada : links.bob).gateway.submit(by, command),
  );
  for (const [index, answer] of again.entries())
    expect(await answer).toMatchObject({ ok: true, repeated: true, done: { seq: seqs[index] } });
});
