import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, inject, onTestFinished, test } from 'vitest';
import { HttpBetween } from '../tests/http-between.ts';
import { batchOf, searchHistory, someConversation, textOf } from '../tests/search-history.ts';
import { randomHistory } from '../tests/search-scenes.ts';
import {
  ann,
  applyAll,
  ask,
  askAll,
  bob,
  chat,
  closeIndex,
  cyd,
  linesOf,
  longBudget,
  seqs,
  type Opened,
} from '../tests/search-under-test.ts';
import {
  connectElasticsearch,
  ElasticsearchUnusable,
  type ElasticsearchConnection,
} from './elasticsearch-connection.ts';
import { aliasNamed, indexOf, removeIndex, type IndexAlias } from './elasticsearch-search-index.ts';
import { searchIndexReader } from './elasticsearch-search-read.ts';
import { openSearchIndexWriter } from './elasticsearch-search-writer.ts';
import { openSqliteSearchReader, openSqliteSearchWriter } from './sqlite-search.ts';

let connection: ElasticsearchConnection;
let alias: IndexAlias;
beforeEach(() => {
  connection = connectElasticsearch(new URL(inject('elasticsearch')), () => undefined);
  alias = aliasNamed(`parley-test-${randomBytes(8).toString('hex')}`);
});
afterEach(async () => {
  await removeIndex(connection.client, alias);
  await connection.close();
});

const openWriter = ({ client } = connection) => openSearchIndexWriter({ client, alias, warn: () => undefined });
const open = async (through = connection): Promise<Opened> => {
  const { client } = through;
  const search = searchIndexReader({ client, alias, budgetMs: longBudget, now: () => performance.now() });
  const opened = { writer: await openWriter(through), search };
  onTestFinished(() => closeIndex(opened));
  return opened;
};
const openSqlite = async (): Promise<Opened> => {
  const directory = await mkdtemp(join(tmpdir(), 'parley-search-'));
  const path = join(directory, 'search.db');
  const writer = await openSqliteSearchWriter(path);
  const opened = { writer, search: await openSqliteSearchReader({ path, budgetMs: longBudget }) };
  onTestFinished(async () => {
    await closeIndex(opened);
    await rm(directory, { recursive: true });
  });
  return opened;
};

test('I7: one history has the rows in SQLite and in Elasticsearch, and gives the same answers', async () => {
  const [index, sqlite] = [await open(), await openSqlite()];
  const { history, queries } = randomHistory(20_261_125, 2_000);
  await applyAll(index, history);
  await applyAll(sqlite, history);
  const lines = await linesOf(sqlite);
  expect(lines.length).toBeGreaterThan(200);
  expect(await linesOf(index)).toEqual(lines);
  for (const { user, text, filters, limit } of queries(200)) {
    const asked = { ...filters, limit };
    expect(await ask(index, user, text, asked)).toEqual(await ask(sqlite, user, text, asked));
  }
});

test('I6: more chats than one query takes are searched all, each from where its member may see it', async () => {
  const index = await open();
  const history = searchHistory();
  for (let n = 0; n < 2_300; n++) {
    const one = someConversation(n);
    history.start(one, bob, ...(n % 4 === 0 ? [] : [ann]));
    if (n % 3 === 0) history.send(one, bob, textOf('word early'));
    if (n % 4 === 0) history.addMember(one, bob, ann);
    if (n % 2 === 0) history.send(one, bob, textOf('word late'));
  }
  for (let from = 0; from < history.events.length; from += 2_000) {
    await index.writer.apply(batchOf(history.events, from, Math.min(from + 2_000, history.events.length)));
  }
  const hits = await askAll(index, ann, 'word');
  expect(hits.map(({ conversationId, seq }) => [conversationId, seq])).toEqual(
    history.expected(ann, 'word').map(({ conversationId, seq }) => [conversationId, seq]),
  );
});

/** Segments, those of the last commit among them, that hold more of what is gone than the position before the last. */
const heldSegments = async (): Promise<readonly unknown[]> => {
  const { indices } = await connection.client.indices.segments({ index: alias });
  const copies = Object.values(indices).flatMap(({ shards }) => Object.values(shards).flat());
  return copies.flatMap(({ segments }) => Object.values(segments)).filter(({ deleted_docs: deleted }) => deleted > 1);
};

/** As a server does when a merge of its own is under way. */
const mergedNothing = {
  status: 200,
  headers: { 'content-type': 'application/json', 'x-elastic-product': 'Elasticsearch' },
  body: Buffer.from('{"_shards":{"total":2,"successful":1,"failed":0}}'),
};

test('an erasure followed by the next message of somebody else: only that one is there, also when all comes again', async () => {
  let merges = 0;
  const between = await HttpBetween.open(
    () => inject('elasticsearch'),
    ({ path }, ask) => (path.includes('_forcemerge') && merges++ === 0 ? Promise.resolve(mergedNothing) : ask()),
  );
  onTestFinished(() => between[Symbol.asyncDispose]());
  const through = connectElasticsearch(new URL(between.url), () => undefined);
  onTestFinished(() => through.close());
  const index = await open(through);
  const history = searchHistory();
  history.start(chat, ann, bob);
  const edited = history.send(chat, bob, textOf('canary first'));
  history.edit(chat, bob, edited, textOf('canary edited'));
  for (let n = 0; n < 200; n++) {
    history.send(chat, bob, textOf(`canary other ${n}`));
    if (n % 20 === 0) await applyAll(index, history);
  }
  history.erase(bob);
  history.send(chat, ann, textOf('canary mine'));
  await applyAll(index, history);
  // The server itself looks every half minute what no copy of a shard needs any more.
  await expect.poll(() => index.writer.holdsErased(), { timeout: 120_000 }).toBe(false);
  expect(merges).toBeGreaterThan(1);
  expect(await heldSegments()).toEqual([]);
  const lines = await linesOf(index);
  expect(lines.join('\n')).not.toMatch(/first|edited/);
  await connection.client.delete({ index: alias, id: 'state', routing: 'state', refresh: true });
  const again = await open();
  await applyAll(again, history);
  expect(seqs(await ask(again, ann, 'canary'))).toEqual([202]);
  expect(await linesOf(again)).toEqual(lines);
});

test('two that write one index refuse each other and hide nothing from each other', async () => {
  const [one, other] = [await open(), await open()];
  const history = searchHistory();
  history.start(chat, ann, bob);
  await applyAll(one, history);
  history.send(chat, bob, textOf('word one'));
  await applyAll(other, history);
  history.send(chat, bob, textOf('word two'));
  await expect(applyAll(one, history)).rejects.toThrow('conflict');
  expect((await one.writer.position())?.applied.place).toBe(2);
  await applyAll(one, history);
  expect(seqs(await ask(one, ann, 'word'))).toEqual([2, 1]);
});

test('an index that somebody removed is not made anew by what is written, and is built again from the beginning', async () => {
  const index = await open();
  const history = searchHistory();
  history.start(chat, ann, bob);
  history.send(chat, bob, textOf('word one'));
  await applyAll(index, history);
  await removeIndex(connection.client, alias);
  history.send(chat, bob, textOf('word two'));
  await expect(applyAll(index, history)).rejects.toThrow();
  expect(await connection.client.indices.exists({ index: [alias, indexOf(alias)] })).toBe(false);
  expect(await index.writer.position()).toBeUndefined();
  await applyAll(index, history);
  expect(seqs(await ask(index, ann, 'word'))).toEqual([2, 1]);
});

test('D12: what a full disk refuses is written when there is room again, and the position waits for it', async () => {
  const index = await open();
  const history = searchHistory();
  history.start(chat, ann, bob);
  history.send(chat, bob, textOf('word one'));
  await applyAll(index, history);
  const before = await index.writer.position();
  history.send(chat, bob, textOf('word two'));
  // As Elasticsearch does by itself when its disk is nearly full.
  const close = (isClosed: boolean | null) =>
    connection.client.indices.putSettings({
      index: alias,
      settings: { 'index.blocks.read_only_allow_delete': isClosed },
    });
  await close(true);
  const refused = applyAll(index, history);
  await expect(refused).rejects.toThrow(/did not take|429|block/i);
  await expect(refused).rejects.not.toBeInstanceOf(ElasticsearchUnusable);
  expect(await index.writer.position()).toEqual(before);
  await close(null);
  await applyAll(index, history);
  expect(seqs(await ask(index, ann, 'word'))).toEqual([2, 1]);
});

test('an index of somebody else and one whose mapping was changed are refused by name', async () => {
  const { client } = connection;
  await client.indices.create({ index: indexOf(alias) });
  await expect(openWriter()).rejects.toThrow(`${indexOf(alias)} is there and is not one of Parley's search`);
  await removeIndex(client, alias);
  const writer = await openWriter();
  await writer.close();
  await client.indices.putMapping({ index: alias, properties: { another: { type: 'keyword' } } });
  await expect(openWriter()).rejects.toThrow(ElasticsearchUnusable);
});

test('I6: who is removed while a search runs gets nothing that came after', async () => {
  const { writer } = await open();
  const history = searchHistory();
  history.start(chat, ann, bob, cyd);
  await writer.apply(batchOf(history.events));
  // Between reading what somebody is a member of and looking for messages.
  let meanwhile = (): Promise<unknown> => Promise.resolve();
  await using between = await HttpBetween.open(
    () => inject('elasticsearch'),
    async ({ path, body }, ask) => {
      if (path.includes('_search') && body.includes('"place":"desc"')) await meanwhile();
      return ask();
    },
  );
  const held = connectElasticsearch(new URL(between.url), () => undefined);
  const search = searchIndexReader({ client: held.client, alias, budgetMs: longBudget, now: () => performance.now() });
  try {
    meanwhile = () => {
      history.removeMember(chat, ann, cyd);
      history.send(chat, bob, textOf('a secret'));
      return writer.apply(batchOf(history.events));
    };
    expect((await ask({ writer, search }, cyd, 'secret')).hits).toEqual([]);
    meanwhile = () => Promise.resolve();
    expect((await ask({ writer, search }, ann, 'secret')).hits).toHaveLength(1);
  } finally {
    await search.close();
    await held.close();
  }
});
