import { workerData } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import type { LogId } from '../schemas/position.ts';
import type { StreamName } from '../schemas/streams.ts';
import type { Snapshot } from './snapshot-store.ts';
import { inTransaction, openSqliteFile } from './sqlite-file.ts';
import { serveCalls } from './sqlite-worker.ts';

export interface SnapshotCalls {
  load: { ask: StreamName; answer: Snapshot | undefined };
  save: { ask: { stream: StreamName; snapshot: Snapshot }; answer: null };
}

const schema = `
  CREATE TABLE snapshots (
    stream TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    log TEXT NOT NULL,
    link TEXT NOT NULL,
    code_version INTEGER NOT NULL,
    state TEXT NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`;

const { path } = workerData as { path: string };
const db = openSqliteFile({ path, applicationId: 0x70617373, synchronous: 'NORMAL', schema, schemaVersion: 1 });

const select = db.prepare('SELECT * FROM snapshots WHERE stream = ?');
const replace = db.prepare('INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?, ?)');

const checksumOf = (stream: StreamName, { revision, log, link, codeVersion, state }: Snapshot): number =>
  crc32(state, crc32(JSON.stringify([stream, revision, log, link, codeVersion])));

serveCalls<SnapshotCalls>({
  calls: {
    load(stream) {
      const row = select.get(stream);
      if (row === undefined) return undefined;
      const snapshot: Snapshot = {
        revision: Number(row['revision']),
        log: String(row['log']) as LogId,
        link: String(row['link']),
        codeVersion: Number(row['code_version']),
        state: String(row['state']),
      };
      return checksumOf(stream, snapshot) === row['checksum'] ? snapshot : undefined;
    },
    save({ stream, snapshot }) {
      const { revision, log, link, codeVersion, state } = snapshot;
      replace.run(stream, revision, log, link, codeVersion, state, checksumOf(stream, snapshot));
      return null;
    },
  },
  transaction: (work) => inTransaction(db, work),
  committed: () => undefined,
  // Nothing here is ever acknowledged as durable, so a failed write is only a snapshot that is made again.
  survives: () => true,
  close: () => db.close(),
});
