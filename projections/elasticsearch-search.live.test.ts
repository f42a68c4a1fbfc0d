import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { soaking } from '../tests/seed.ts';
import type { SearchUnderTest } from '../tests/search-under-test.ts';
import { connectElasticsearch } from './elasticsearch-connection.ts';
import { aliasNamed, removeIndex } from './elasticsearch-search-index.ts';
import { searchIndexReader } from './elasticsearch-search-read.ts';
import { openSearchIndexWriter } from './elasticsearch-search-writer.ts';
import { searchContract } from './search.contract.ts';

const connect = () => connectElasticsearch(new URL(inject('elasticsearch')), () => undefined);

const prepare = async (): Promise<SearchUnderTest> => {
  const connection = connect();
  const { client } = connection;
  const alias = aliasNamed(`parley-test-${randomBytes(8).toString('hex')}`);
  return {
    open: async (budgetMs) => ({
      writer: await openSearchIndexWriter({ client, alias, warn: () => undefined }),
      search: searchIndexReader({ client, alias, budgetMs, now: () => performance.now() }),
    }),
    fresh: prepare,
    async remove() {
      await removeIndex(client, alias);
      await connection.close();
    },
  };
};

// All of them run over SQLite every time, with the same terms out of the same queries.
searchContract('elasticsearch', prepare, soaking ? 10_000 : 2_000);
