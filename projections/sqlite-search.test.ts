import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { batchOf, searchHistory, someConversation, someUser, textOf } from '../tests/search-history.ts';
import { closeIndex, type Opened, type SearchUnderTest } from '../tests/search-under-test.ts';
import { searchContract } from './search.contract.ts';
import { openSqliteSearchReader, openSqliteSearchWriter } from './sqlite-search.ts';

const newDirectory = (): Promise<string> => mkdtemp(join(tmpdir(), 'parley-search-'));

const openIndex = async (directory: string, budgetMs: number): Promise<Opened> => {
  const path = join(directory, 'search.db');
  const writer = await openSqliteSearchWriter(path);
  return { writer, search: await openSqliteSearchReader({ path, budgetMs }) };
};

const prepare = async (): Promise<SearchUnderTest> => {
  const directory = await newDirectory();
  return {
    open: (budgetMs) => openIndex(directory, budgetMs),
    fresh: prepare,
    remove: () => rm(directory, { recursive: true }),
  };
};

searchContract('sqlite', prepare);

/** What lies in any file of the directory, as the bytes stand there. */
const bytesIn = async (directory: string): Promise<string> => {
  const files = (await readdir(directory)).toSorted();
  const contents = await Promise.all(files.map((file) => readFile(join(directory, file), 'latin1')));
  return contents.join('\n');
};

describe('the files of a search index', () => {
  test('hold nothing of an erased author, also not what had been edited away or deleted before', async () => {
    const directory = await newDirectory();
    const index = await openIndex(directory, 200);
    try {
      const [ann, bob, chat] = [someUser(1), someUser(2), someConversation(1)];
      // Four shards: only the first holds what the author had deleted.
      const history = searchHistory(600);
      history.start(chat, ann, bob);
      const edited = history.send(chat, bob, textOf('canaryedited canary-edited'));
      const deleted = history.send(chat, bob, textOf('canarydeleted'));
      for (let n = 0; n < 200; n++) history.send(chat, ann, textOf(`filler number ${n} stays`));
      history.edit(chat, bob, edited, textOf('canarynewest'));
      history.remove(chat, bob, deleted);
      for (let n = 0; n < 200; n++)
        history.send(chat, n % 2 ? ann : bob, textOf(`${n % 2 ? 'filler' : 'canaryshort'} ${n}`));
      for (let from = 0; from < history.events.length; from += 25) {
        await index.writer.apply(batchOf(history.events, from, Math.min(from + 25, history.events.length)));
      }
      const request = { user: ann, filters: {}, cursor: null, limit: 10 };
      const before = await index.search.search({ ...request, text: 'canary' });
      expect(before).toMatchObject({ outcome: 'found', hits: { length: 10 } });
      expect(await bytesIn(directory)).toContain('canary');

      const erasedAt = history.events.length;
      history.erase(bob);
      await index.writer.apply(batchOf(history.events, erasedAt));
      expect(await index.search.search({ ...request, text: 'canary' })).toMatchObject({ hits: [], complete: true });
      await expect.poll(() => index.writer.holdsErased()).toBe(false);
      const bytes = await bytesIn(directory);
      expect(bytes).not.toContain('canary');
      expect(bytes).toContain('filler');
      expect(await index.search.search({ ...request, text: 'canary' })).toMatchObject({ hits: [], complete: true });
      expect(await index.search.search({ ...request, text: 'filler' })).toMatchObject({ hits: { length: 10 } });
    } finally {
      await closeIndex(index);
      await rm(directory, { recursive: true });
    }
  });

  test('are for their owner alone', async () => {
    const directory = await newDirectory();
    const index = await openIndex(directory, 200);
    try {
      expect((await stat(join(directory, 'search.db'))).mode & 0o077).toBe(0);
    } finally {
      await closeIndex(index);
      await rm(directory, { recursive: true });
    }
  });
});
