import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, inject, onTestFinished, test } from 'vitest';
import { orMissing } from '../../main/write-at-once.ts';
import { HttpBetween, type Meet } from '../http-between.ts';
import { runParley } from '../run-parley.ts';
import { sayLast } from '../say-last.ts';
import { seeded, seedFor } from '../seed.ts';
import { ServerProcess, temporaryFolder } from '../server-process.ts';
import { startOwnElasticsearch, type OwnElasticsearch } from '../servers/elasticsearch.ts';
import { signToken, tokenSecret } from '../tokens.ts';
import { newId, WireClient } from '../wire-client.ts';

const newStack = (): AsyncDisposableStack => {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  return stack;
};

const own = async (stack: AsyncDisposableStack): Promise<OwnElasticsearch | undefined> => {
  const elasticsearch = await startOwnElasticsearch();
  if (elasticsearch === undefined)
    sayLast('Java or Maven is not installed: D12 was not tried on an Elasticsearch that is killed.');
  else stack.defer(() => elasticsearch.stop());
  return elasticsearch;
};

interface Chat {
  readonly server: ServerProcess;
  readonly data: string;
  readonly env: Readonly<Record<string, string>>;
  /** Until it is accepted and delivered; what is said has the number of its place. */
  say(count: number): Promise<void>;
  said(): number;
  erase(): Promise<void>;
}

const startChat = async (search: string, stack: AsyncDisposableStack): Promise<Chat> => {
  const folder = await temporaryFolder('elasticsearch-faults');
  stack.defer(() => folder.stop());
  const limits = { PARLEY_SEND_BURST: '1000000', PARLEY_SEND_RATE: '1000000' };
  const env = { PARLEY_TOKEN_SECRET: tokenSecret, PARLEY_SEARCH: search, ...limits };
  const server = await ServerProcess.start({ data: folder.path, env });
  stack.defer(async () => {
    await server.end();
  });
  const ann = stack.use(await WireClient.live(server.port, 'ann'));
  const ben = stack.use(await WireClient.live(server.port, 'ben'));
  const { conversationId } = await ann.ask({ type: 'start-direct', with: { name: 'ben' } });
  let said = 0;
  return {
    ...{ server, env, data: folder.path, said: () => said },
    async say(count) {
      for (const last = said + count; said < last;) {
        const [speaker, messageId] = [said % 2 === 0 ? ann : ben, newId()];
        speaker.text(conversationId, `${speaker === ben ? 'canary' : 'plain'} text${++said}`, messageId);
        await speaker.answerTo(messageId);
      }
      await ben.next('message', ({ seq }) => seq >= said - 1);
    },
    async erase() {
      const erased = await runParley(folder.path, ['erase', 'ben', '--yes'], env);
      expect(erased).toMatchObject({ code: 0, err: '' });
    },
  };
};

const stateOf = async ({ server: { port } }: Chat): Promise<string> => {
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
  expect(answer.status).toBe(200);
  const { servers } = (await answer.json()) as { servers: { search: string } };
  return servers.search;
};

const search = async ({ server: { port } }: Chat, words: string): Promise<{ status: number; seqs: number[] }> => {
  const headers = { authorization: `Bearer ${signToken('ann', 'phone')}` };
  const answer = await fetch(`http://127.0.0.1:${port}/v1/search?q=${words}`, { headers });
  const { hits = [] } = (await answer.json()) as { hits?: { seq: number }[] };
  return { status: answer.status, seqs: hits.map(({ seq }) => seq) };
};

const caughtUp = async (chat: Chat): Promise<void> => {
  const last = chat.said();
  await expect.poll(() => search(chat, `text${last}`)).toEqual({ status: 200, seqs: [last] });
};
const isWhole = async ({ data, env }: Chat): Promise<void> => {
  expect(await runParley(data, ['verify'], env)).toMatchObject({ code: 0 });
};

/** Files may go while they are looked for: then they hold nothing. */
const filesWith = async (folder: string, word: string): Promise<string[]> => {
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const bytes = await orMissing(readFile(join(entry.parentPath, entry.name), 'latin1'));
    if (bytes?.includes(word) === true) found.push(entry.name);
  }
  return found;
};

const startsMs = 900_000;

test(
  'D12: chat goes on before Elasticsearch is there and while it is killed under load; search comes back by itself and equals a fresh fold',
  { timeout: startsMs },
  async (context) => {
    const stack = newStack();
    let url: string | undefined;
    const meet: Meet = (_, ask) => (url === undefined ? Promise.reject(new Error('not there yet')) : ask());
    const between = stack.use(await HttpBetween.open(() => url ?? '', meet));
    const starting = own(stack);
    const chat = await startChat(between.url, stack);
    await chat.say(20);
    expect(await stateOf(chat)).not.toBe('ok');
    expect(await search(chat, 'text1')).toEqual({ status: 503, seqs: [] });
    const elasticsearch = await starting;
    if (elasticsearch === undefined) return context.skip();
    ({ url } = elasticsearch);
    await caughtUp(chat);
    expect(await stateOf(chat)).toBe('ok');

    for (let round = 0; round < 2; round++) {
      const loaded = chat.say(200);
      await elasticsearch.kill();
      await loaded;
      // It is away for as long as it takes to start.
      const started = elasticsearch.startAgain();
      await expect.poll(() => stateOf(chat)).not.toBe('ok');
      await chat.say(100);
      expect((await search(chat, 'text1')).status).toBe(503);
      await started;
      ({ url } = elasticsearch);
      await caughtUp(chat);
    }
    await isWhole(chat);

    const data = join(elasticsearch.folder, 'data');
    // The comparison's index is being removed, folders too, while files are looked for.
    await expect.poll(() => filesWith(data, 'canary')).not.toEqual([]);
    await chat.erase();
    expect(await search(chat, 'canary')).toEqual({ status: 200, seqs: [] });
    // The server itself looks every half minute what no copy of a shard needs any more.
    await expect.poll(() => filesWith(data, 'canary'), { timeout: 120_000 }).toEqual([]);
    await isWhole(chat);
    expect(await chat.server.end('SIGTERM')).toEqual({ code: 0, signal: null });
  },
);

test('D12: a fifth of the answers are errors, up to 10 s late, cut or doubled: nothing is missing afterwards', async () => {
  const stack = newStack();
  const random = seeded(seedFor('D12-elasticsearch'));
  const json = { 'content-type': 'application/json', 'x-elastic-product': 'Elasticsearch' };
  const refused = (status: number) =>
    Promise.resolve({
      status,
      headers: json,
      body: Buffer.from('{"error":{"type":"es_rejected_execution_exception"}}'),
    });
  const faults: readonly Meet[] = [
    () => refused(429),
    () => refused(503),
    // It was done, and nobody hears of it.
    async (_, ask) => {
      await ask();
      return refused(502);
    },
    () => Promise.reject(new Error('cut')),
    async (_, ask) => {
      await ask();
      throw new Error('cut behind it');
    },
    async (_, ask) => {
      await ask();
      return ask();
    },
    async (_, ask) => {
      await pause(random.between(500, 10_000));
      return ask();
    },
  ];
  let isBad = true;
  const meet: Meet = (asked, ask) => (isBad && random.next() < 0.2 ? random.oneOf(faults)(asked, ask) : ask());
  const between = stack.use(await HttpBetween.open(() => inject('elasticsearch'), meet));
  const chat = await startChat(`${between.url}/faults`, stack);
  const until = performance.now() + 30_000;
  while (performance.now() < until) {
    await chat.say(20);
    expect([200, 503]).toContain((await search(chat, 'text1')).status);
  }
  isBad = false;
  await chat.say(2);
  await caughtUp(chat);
  await isWhole(chat);
});

test('D12: an Elasticsearch that answers nothing any more holds up no message, and is asked again when it goes on', async () => {
  const stack = newStack();
  let held = Promise.withResolvers<undefined>();
  held.resolve(undefined);
  const between = stack.use(
    await HttpBetween.open(
      () => inject('elasticsearch'),
      async (_, ask) => {
        await held.promise;
        return ask();
      },
    ),
  );
  const chat = await startChat(`${between.url}/holds`, stack);
  await chat.say(10);
  await caughtUp(chat);
  held = Promise.withResolvers();
  stack.defer(() => held.resolve(undefined));
  await chat.say(100);
  expect((await search(chat, 'text1')).status).toBe(503);
  await chat.say(100);
  expect(await stateOf(chat)).not.toBe('ok');
  held.resolve(undefined);
  await caughtUp(chat);
  await isWhole(chat);
});
