import { startSqliteWorker, type SqliteWorker } from '../command-side/sqlite-worker.ts';
import { batchToJson } from './batch-json.ts';
import type { ReadModelWriter } from './read-model.ts';
import type { MessageSearch, SearchAnswer } from './search.ts';
import { firstDumpPage, type DumpPage, type DumpedPage } from './sqlite-search-dump.ts';
import type { SearchReaderCalls } from './sqlite-search-reader.ts';
import type { SearchWriterCalls } from './sqlite-search-writer.ts';

export interface SqliteSearchOptions {
  /** The file of this version of the index; made when it is not there. */
  readonly path: string;
  /** After this long a search stops with what it has. */
  readonly budgetMs: number;
}

const startWriter = (path: string): Promise<SqliteWorker<SearchWriterCalls>> =>
  startSqliteWorker<SearchWriterCalls>(new URL('sqlite-search-writer.ts', import.meta.url), { path });

const startReader = (options: SqliteSearchOptions): Promise<SqliteWorker<SearchReaderCalls>> =>
  startSqliteWorker<SearchReaderCalls>(new URL('sqlite-search-reader.ts', import.meta.url), options);

/** The end that writes the index, in a thread of its own. */
export const openSqliteSearchWriter = async (path: string): Promise<ReadModelWriter> =>
  writerOf(await startWriter(path));

/** The end that is asked, of a file that a writer has opened. */
export const openSqliteSearchReader = async (options: SqliteSearchOptions): Promise<MessageSearch> =>
  searchOf(await startReader(options));

const writerOf = (worker: SqliteWorker<SearchWriterCalls>): ReadModelWriter => ({
  async position() {
    const applied = await worker.call('position', null);
    return applied && { applied, safe: applied };
  },
  apply: async (batch) => ({ parked: await worker.call('apply', batchToJson(batch)) }),
  parked: () => worker.call('parked', null),
  async refold(stream, pages) {
    await worker.call('beginRefold', stream);
    for await (const page of pages) {
      if ((await worker.call('refoldPage', batchToJson(page))) !== undefined) return;
    }
    await worker.call('endRefold', stream);
  },
  holdsErased: () => worker.call('holdsErased', null),
  async *dump() {
    for (let page: DumpPage | null = firstDumpPage; page !== null;) {
      const { lines, next }: DumpedPage = await worker.call('dump', page);
      yield* lines;
      page = next;
    }
  },
  close: () => worker.close(),
});

/** One search at a time goes to the worker: an answer does not wait for the searches behind it. */
const searchOf = (worker: SqliteWorker<SearchReaderCalls>): MessageSearch => {
  let last: Promise<unknown> = Promise.resolve();
  return {
    search(request) {
      const answer: Promise<SearchAnswer> = last.then(() => worker.call('search', request));
      last = answer.catch(() => undefined);
      return answer;
    },
    async close() {
      await last;
      await worker.close();
    },
  };
};
