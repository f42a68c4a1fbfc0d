import { parentPort, workerData } from 'node:worker_threads';
import { LogDamaged, LogUnusable } from './event-log.ts';
import { asError } from './sqlite-errors.ts';
import { openLogReader, type LogReader } from './sqlite-log-reader.ts';
import { packPage, type ReaderMessage, type ReadQuestion } from './sqlite-messages.ts';

/** The thread that reads. It opens the file at its first question: by then the writer has made it. */
if (parentPort === null) throw new Error('sqlite-reader.ts runs as a worker thread');
const main = parentPort;
const { file } = workerData as { readonly file: string };

let reader: LogReader | undefined;

const answer = (id: number, question: ReadQuestion): ReaderMessage => {
  reader ??= openLogReader(file);
  switch (question.what) {
    case 'last':
      return { id, last: reader.last() };
    case 'log':
      return { id, page: packPage(reader.log(question.after, question.limit)) };
    case 'stream': {
      const { stream, from, direction, limit } = question;
      return { id, page: packPage(reader.stream(stream, from, direction, limit)) };
    }
  }
};

const fault = (id: number, thrown: unknown): ReaderMessage => {
  if (thrown instanceof LogUnusable) return { id, unusable: thrown.message };
  if (thrown instanceof LogDamaged) return { id, damaged: thrown.what, n: thrown.n };
  return { id, failed: asError(thrown).message };
};

main.on('message', ({ id, question }: { readonly id: number; readonly question: ReadQuestion }) => {
  let message: ReaderMessage;
  try {
    message = answer(id, question);
  } catch (thrown) {
    message = fault(id, thrown);
  }
  main.postMessage(message, 'page' in message ? [message.page.buffer] : []);
});
