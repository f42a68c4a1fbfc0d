import { parentPort, workerData } from 'node:worker_threads';
import { asError, sqliteFault, unusable } from './sqlite-errors.ts';
import { groupCommit, type GroupCommit } from './sqlite-group-commit.ts';
import {
  packAnswers,
  unpackRequests,
  type NumberedRequest,
  type Packed,
  type WriterMessage,
} from './sqlite-messages.ts';
import { integerIn, openForWriting } from './sqlite-schema.ts';

/**
 * The thread that writes. Group commit: what queued while the last fsync ran is the next transaction, and no answer
 * leaves before its COMMIT has returned.
 */
const mostEvents = 1_000;
const mostBytes = 8 * 1_048_576;
/** Pages in the WAL after which they are carried over into the database: 16 MiB. */
const checkpointAfter = 4_096;
/** Readers that come without a pause keep a WAL from starting anew; from here on the writer waits for a gap. */
const insistAfter = 16 * checkpointAfter;

if (parentPort === null) throw new Error('sqlite-writer.ts runs as a worker thread');
const main = parentPort;
const say = (message: WriterMessage): void => main.postMessage(message);
const { file } = workerData as { readonly file: string };

const queues: readonly [NumberedRequest[], NumberedRequest[], NumberedRequest[]] = [[], [], []];
let scheduled = false;

const bytesOf = ({ request }: NumberedRequest): number =>
  request.events.reduce((sum, { envelope }) => sum + envelope.length, 0);

/** Messages before receipts before presence. The first append goes in whatever its size. */
const nextGroup = (): NumberedRequest[] => {
  const group: NumberedRequest[] = [];
  let events = 0;
  let bytes = 0;
  for (const queue of queues) {
    let taken = 0;
    for (const numbered of queue) {
      events += numbered.request.events.length;
      bytes += bytesOf(numbered);
      if (group.length > 0 && (events > mostEvents || bytes > mostBytes)) break;
      group.push(numbered);
      taken++;
    }
    queue.splice(0, taken);
    if (queue.length > 0) break;
  }
  return group;
};

const start = (): void => {
  const database = openForWriting(file);
  const log: GroupCommit = groupCommit(database);
  const pagesInWal = database.prepare('PRAGMA wal_checkpoint(NOOP)');

  const checkpointIfDue = (): void => {
    const pages = integerIn(pagesInWal.get(), 'log');
    if (pages < checkpointAfter) return;
    try {
      database.exec(`PRAGMA wal_checkpoint(${pages < insistAfter ? 'PASSIVE' : 'TRUNCATE'})`);
    } catch (error) {
      // A full or busy disk loses nothing: everything is in the WAL, and the next commit tries again.
      const fault = sqliteFault(error);
      if (fault !== 'full' && fault !== 'busy') throw error;
    }
  };

  const work = (): void => {
    scheduled = false;
    const group = nextGroup();
    try {
      if (group.length > 0) {
        const answers = packAnswers(log.commit(group));
        main.postMessage(answers, [answers.buffer]);
        checkpointIfDue();
      }
      if (queues.some((queue) => queue.length > 0)) schedule();
    } catch (thrown) {
      // Nothing is written after this, and the database is not closed here: closing would repeat the fsync.
      main.off('message', receive);
      say({ type: 'failed', message: asError(thrown).message });
    }
  };

  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(work);
  };

  const close = (): void => {
    main.off('message', receive);
    let failure: string | undefined;
    try {
      database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      database.close();
    } catch (thrown) {
      failure = asError(thrown).message;
    }
    say(failure === undefined ? { type: 'closed' } : { type: 'failed', message: failure });
  };

  const receive = (message: Packed | 'close'): void => {
    if (message === 'close') {
      close();
    } else {
      for (const numbered of unpackRequests(message)) queues[numbered.request.priority].push(numbered);
      schedule();
    }
  };

  main.on('message', receive);
  say({ type: 'ready', last: log.last() });
};

try {
  start();
} catch (thrown) {
  say({ type: 'unusable', message: unusable(file, thrown).message });
}
