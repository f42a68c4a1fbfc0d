import { workerData } from 'node:worker_threads';
import { inTransaction } from '../command-side/sqlite-file.ts';
import { serveCalls } from '../command-side/sqlite-worker.ts';
import { batchFromJson } from './batch-json.ts';
import type { AppliedPosition, ParkedStream } from './read-model.ts';
import type { StreamName } from '../schemas/streams.ts';
import { openSearchFile } from './sqlite-search-file.ts';
import type { DumpPage, DumpedPage } from './sqlite-search-dump.ts';
import { searchWriter } from './sqlite-search-write.ts';
import { tidying } from './sqlite-tidying.ts';

/** Batches come as `batchToJson` writes them. */
export interface SearchWriterCalls {
  position: { ask: null; answer: AppliedPosition | undefined };
  apply: { ask: string; answer: readonly ParkedStream[] };
  parked: { ask: null; answer: readonly ParkedStream[] };
  beginRefold: { ask: StreamName; answer: null };
  refoldPage: { ask: string; answer: ParkedStream | undefined };
  endRefold: { ask: StreamName; answer: null };
  holdsErased: { ask: null; answer: boolean };
  dump: { ask: DumpPage; answer: DumpedPage };
}

const { path } = workerData as { path: string };
const db = openSearchFile(path);
const writer = searchWriter(db);
const tidy = tidying(
  () => writer.tidy(),
  () => writer.rolledBack(),
);

serveCalls<SearchWriterCalls>({
  calls: {
    position: () => writer.position(),
    apply: (json) => writer.apply(batchFromJson(json)),
    parked: () => writer.parked(),
    beginRefold(stream) {
      writer.beginRefold(stream);
      return null;
    },
    refoldPage: (json) => writer.refoldPage(batchFromJson(json)),
    endRefold(stream) {
      writer.endRefold(stream);
      return null;
    },
    holdsErased: () => writer.holdsErased(),
    dump: (page) => writer.dump(page),
  },
  transaction: (work) => inTransaction(db, work),
  committed() {
    if (writer.isUntidy()) tidy.soon();
    else tidy.whenIdle();
  },
  // Rows and position go back together, so the follower may try the same events again.
  survives() {
    writer.rolledBack();
    return true;
  },
  close() {
    tidy.stop();
    db.close();
  },
});
tidy.soon();
