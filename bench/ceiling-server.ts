/**
 * The bare ceiling: what this machine can do when a message is parsed, committed with fsync together with all that
 * waited, acknowledged and relayed, and nothing else. No accounts, checks, encryption, chain, history or resume.
 *
 *   node bench/ceiling-server.ts FOLDER        prints `listening PORT`
 *
 * In: {id, conversation, to, text}. Out: {type: "accepted", id, seq} to the sender and
 * {type: "message", conversation, seq, from, body: {text, id}} to the receiver. The address's path names the user.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';

interface Pending {
  readonly socket: WebSocket;
  readonly from: string;
  readonly to: string;
  readonly id: number;
  readonly conversation: string;
  readonly body: string;
}
type Row = readonly [conversation: string, body: string];

const relay = (folder: string): void => {
  const writer = new Worker(new URL(import.meta.url), { workerData: folder });
  const socketOf = new Map<string, WebSocket>();
  let queued: Pending[] = [];
  let committing: Pending[] = [];

  const commitQueued = (): void => {
    if (committing.length > 0 || queued.length === 0) return;
    committing = queued;
    queued = [];
    writer.postMessage(committing.map(({ conversation, body }): Row => [conversation, body]));
  };

  writer.on('message', (seqs: readonly number[]) => {
    const committed = committing;
    committing = [];
    commitQueued();
    committed.forEach(({ socket, from, to, id, conversation, body }, index) => {
      const seq = String(seqs[index]);
      socket.send(`{"type":"accepted","id":${id},"seq":${seq}}`);
      socketOf
        .get(to)
        ?.send(`{"type":"message","conversation":"${conversation}","seq":${seq},"from":"${from}","body":${body}}`);
    });
  });

  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  server.on('connection', (socket, request) => {
    const from = (request.url ?? '/').slice(1);
    socketOf.set(from, socket);
    socket.on('close', () => socketOf.delete(from));
    socket.on('message', (data: RawData) => {
      const sent = JSON.parse((data as Buffer).toString()) as Pick<Pending, 'id' | 'conversation' | 'to'> & {
        readonly text: string;
      };
      const { id, conversation, to, text } = sent;
      queued.push({ socket, from, to, id, conversation, body: JSON.stringify({ text, id }) });
      commitQueued();
    });
  });
  server.on('listening', () => {
    const address = server.address();
    if (address !== null && typeof address === 'object') console.log('listening', address.port);
  });
};

const write = (folder: string): void => {
  const database = new DatabaseSync(join(folder, 'ceiling.db'));
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  database.exec(`
    CREATE TABLE message (n INTEGER PRIMARY KEY, conversation TEXT, seq INTEGER, body TEXT, time INTEGER);
    CREATE UNIQUE INDEX message_by_seq ON message (conversation, seq)`);
  const insert = database.prepare('INSERT INTO message (conversation, seq, body, time) VALUES (?, ?, ?, ?)');
  const lastSeq = new Map<string, number>();

  parentPort?.on('message', (rows: readonly Row[]) => {
    const time = Date.now();
    database.exec('BEGIN');
    const seqs = rows.map(([conversation, body]) => {
      const seq = (lastSeq.get(conversation) ?? 0) + 1;
      lastSeq.set(conversation, seq);
      insert.run(conversation, seq, body, time);
      return seq;
    });
    database.exec('COMMIT');
    parentPort?.postMessage(seqs);
  });
};

if (isMainThread) relay(process.argv[2] ?? '.');
else write(workerData as string);
