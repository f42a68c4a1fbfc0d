import { DatabaseSync } from 'node:sqlite';
import { workerData } from 'node:worker_threads';
import { serveCalls } from '../command-side/sqlite-worker.ts';
import type { SearchAnswer, SearchRequest } from './search.ts';
import { searchReader } from './sqlite-search-read.ts';

export interface SearchReaderCalls {
  search: { ask: SearchRequest; answer: SearchAnswer };
}

const { path, budgetMs } = workerData as { path: string; budgetMs: number };
const db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
const search = searchReader(db, budgetMs, () => performance.now());

serveCalls<SearchReaderCalls>({
  calls: { search },
  // Each search is a transaction of its own: it reads one state and lets go of it.
  transaction: (work) => work(),
  committed: () => undefined,
  survives: () => true,
  close: () => db.close(),
});
