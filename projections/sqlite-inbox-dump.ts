import { workerData } from 'node:worker_threads';
import { serveCalls } from '../command-side/sqlite-worker.ts';
import { messageState, openInboxForReading, type Row } from './sqlite-inbox-file.ts';

export interface InboxDumpCalls {
  /** The next lines; none: that was all. */
  next: { ask: null; answer: readonly string[] };
}

const linesAtOnce = 1_000;

/** Nobody is shown what an erased person wrote, whether it has gone from the file or goes still. */
const shown = 'iif(u.erased = 1, NULL, m.content)';

/**
 * Rows by the ids they are of, never by the numbers of this file. Conversations first, then what hangs on them in the
 * order of their ids, so that nothing needs sorting. What is as if it had never been written is left out.
 */
const tables: Readonly<Record<string, string>> = {
  user: `SELECT id, registered, erased, display_name, status_text, place, blocks_place FROM user
    WHERE registered = 1 OR erased = 1 OR place > 0 OR blocks_place > 0 ORDER BY id`,
  block: `SELECT one.id AS user, other.id AS blocked FROM block
    JOIN user one ON one.no = block.user JOIN user other ON other.no = blocked ORDER BY one.id, other.id`,
  presence: `SELECT id, online, last_seen, availability, status, version FROM presence
    JOIN user ON no = presence.user ORDER BY id`,
  conversation: `SELECT id, kind, name, members, seq, revision, place, described_place, changed_place, active_place,
    active_at, marks_place FROM conversation WHERE place > 0 OR marks_place > 0 ORDER BY id`,
  member: `SELECT c.id AS conversation, u.id AS user, role, since, rank, visible_from, joined_place, m.place,
    b.id AS by, at, version FROM conversation c CROSS JOIN member m ON m.conversation = c.no
    JOIN user u ON u.no = m.user JOIN user b ON b.no = m.by ORDER BY c.id, u.id`,
  mark: `SELECT c.id AS conversation, u.id AS user, delivered, delivered_at, read, read_at, own, own_at
    FROM conversation c CROSS JOIN mark m ON m.conversation = c.no JOIN user u ON u.no = m.user
    WHERE delivered > 0 OR read > 0 OR own > 0 ORDER BY c.id, u.id`,
  setting: `SELECT c.id AS conversation, u.id AS user, muted_until, pinned, archived_at, s.place
    FROM setting s JOIN conversation c ON c.no = s.conversation JOIN user u ON u.no = s.user ORDER BY c.id, u.id`,
  sent: `SELECT c.id AS conversation, bucket, u.id AS sender, messages
    FROM conversation c CROSS JOIN sent s ON s.conversation = c.no JOIN user u ON u.no = s.sender
    WHERE messages <> 0 ORDER BY c.id, bucket, u.id`,
  command: `SELECT c.id AS conversation, m.id, m.revision
    FROM conversation c CROSS JOIN command m ON m.conversation = c.no ORDER BY c.id, m.id`,
  message: `SELECT c.id AS conversation, m.seq, u.id AS sender,
    iif(${shown} IS NULL AND state = ${messageState.json}, ${messageState.text}, state) AS state, m.id, time_after_id, reply_to,
    revision_ahead, m.place AS sent_at, ch.version, ch.at, ch.place, ${shown} AS content
    FROM conversation c CROSS JOIN message m ON m.conversation = c.no JOIN user u ON u.no = m.sender
    LEFT JOIN change ch ON ch.message = m.place ORDER BY c.id, m.seq`,
  parked: 'SELECT stream, n, revision, error FROM parked ORDER BY stream',
};

const { path } = workerData as { path: string };
const db = openInboxForReading(path);
db.exec('BEGIN');

const line = (table: string, row: Row): string =>
  JSON.stringify([
    table,
    ...Object.values(row).map((value) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('base64url') : value,
    ),
  ]);

function* dump(): Generator<string, undefined> {
  for (const [table, select] of Object.entries(tables)) {
    for (const row of db.prepare(select).iterate()) yield line(table, row);
  }
  return undefined;
}
const lines = dump();

const nextLines = (): readonly string[] => {
  const page: string[] = [];
  while (page.length < linesAtOnce) {
    const next = lines.next();
    if (next.done === true) break;
    page.push(next.value);
  }
  return page;
};

serveCalls<InboxDumpCalls>({
  calls: { next: nextLines },
  transaction: (work) => work(),
  committed: () => undefined,
  survives: () => true,
  close: () => db.close(),
});
