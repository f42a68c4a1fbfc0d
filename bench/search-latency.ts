import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inTransaction } from '../command-side/sqlite-file.ts';
import type { SearchFilters } from '../projections/search.ts';
import { openSearchFile } from '../projections/sqlite-search-file.ts';
import { searchReader } from '../projections/sqlite-search-read.ts';
import { searchWriter } from '../projections/sqlite-search-write.ts';
import type { RecordedEvent } from '../schemas/events.ts';
import { conversationId, eventId, commandId, userId, uuidV7 } from '../schemas/ids.ts';
import { logId } from '../schemas/position.ts';
import { conversationStream } from '../schemas/streams.ts';
import { seededRandom } from '../tests/search-scenes.ts';
import { rankOf, word } from './words.ts';

const messages = 1_000_000;
const chats = 20_000;
const batch = 500;
const wordsPerMessage = 33;
const folder = join(import.meta.dirname, '../.cache/bench/search-3');

const id = (kind: string, n: number): string => `${kind}${n}`.padEnd(21, '-') + 'A';
const chat = (n: number) => conversationId.parse(id('chat', n));
/** In 2,000 chats, a tenth of all. */
const busy = userId.parse(id('busy', 0));
/** Each in 20 chats. */
const person = (n: number) => userId.parse(id('person', n));
const log = logId.parse(id('log', 0));

const events = function* (): Generator<Omit<RecordedEvent, 'position'>> {
  const random = seededRandom(7);
  const next = new Uint32Array(chats);
  let count = 0;
  const recorded = (
    n: number,
    revision: number,
    event: NonNullable<RecordedEvent['event']>,
  ): Omit<RecordedEvent, 'position'> => {
    const made = uuidV7(
      1_700_000_000_000 + count * 20,
      Uint8Array.of(0, 0, 0, 0, 0, 0, count >>> 24, count >>> 16, count >>> 8, count),
    );
    const stream = conversationStream(chat(n));
    return {
      ...{
        eventId: eventId.parse(made),
        time: 1_700_000_000_000 + count++ * 20,
        causationId: made,
        correlationId: made,
      },
      ...{ event, stream, revision, type: event.type, schemaVersion: 1, critical: true, link: null },
    };
  };
  const base = (by: ReturnType<typeof person>, seq: number) => ({
    commandId: commandId.parse(
      uuidV7(
        1_700_000_000_000 + count,
        Uint8Array.of(1, 2, 3, 4, 5, 6, count >>> 24, count >>> 16, count >>> 8, count),
      ),
    ),
    ...{ idTimeMax: 0, mac: 'A'.repeat(22), by, seq },
  });
  for (let n = 0; n < chats; n++) {
    const members = [person(n % 1_000), person((n + 1) % 1_000), ...(n % 10 === 0 ? [busy] : [])];
    const roles = members.map((one) => ({ userId: one, role: 'member' as const }));
    yield recorded(n, 0, {
      type: 'conversation-started',
      ...base(person(n % 1_000), 0),
      kind: 'group',
      members: roles,
    });
  }
  for (let sent = 0; sent < messages; sent++) {
    const n = random(chats);
    const seq = (next[n] ?? 0) + 1;
    next[n] = seq;
    const text = Array.from({ length: wordsPerMessage }, () => word(rankOf(random(1_000_000) / 1_000_000)))
      .join(' ')
      .slice(0, 200);
    yield recorded(n, seq, {
      type: 'message-sent',
      ...base(person((n + (sent & 1)) % 1_000), seq),
      replyTo: null,
      content: { type: 'text', text },
    });
  }
};

const make = (path: string): void => {
  console.log(`Indexing ${messages} messages, once …`);
  const db = openSearchFile(path);
  const writer = searchWriter(db);
  let [n, spent, waited] = [0, 0, 0];
  let waiting: RecordedEvent[] = [];
  const apply = (): void => {
    const through = { log, n, place: n, event: null };
    const [cpu, start] = [process.cpuUsage(), performance.now()];
    inTransaction(db, () => writer.apply({ events: waiting, through }));
    while (writer.isUntidy()) writer.tidy();
    const { user, system } = process.cpuUsage(cpu);
    spent += (user + system) / 1e6;
    waited += (performance.now() - start) / 1e3;
    waiting = [];
  };
  for (const event of events()) {
    waiting.push({ ...event, position: { log, n: ++n } });
    if (waiting.length === batch) apply();
  }
  apply();
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  const bytes = statSync(path).size;
  db.close();
  console.log(
    `${(messages / waited).toFixed(0)} messages/s (${(messages / spent).toFixed(0)} a second of CPU), ${(bytes / messages).toFixed(0)} bytes a message`,
  );
};

const at = (sorted: readonly number[], p: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? 0;

const searches = 200;

export interface SearchLatency {
  readonly who: string;
  readonly words: string;
  /** In milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** The part of the searches that were not stopped. */
  readonly complete: number;
  /** A page holds 20. */
  readonly hits: number;
}

/** How long a search takes at a million messages: words from rare to the most common, of a person and of one with 2,000 chats. */
export const benchSearchLatency = (): Promise<readonly SearchLatency[]> => {
  if (!existsSync(folder)) {
    const making = `${folder}.making`;
    rmSync(making, { recursive: true, force: true });
    mkdirSync(making, { recursive: true });
    mkdirSync(dirname(folder), { recursive: true });
    make(join(making, 'search.db'));
    renameSync(making, folder);
  }
  const db = openSearchFile(join(folder, 'search.db'));
  const rows: SearchLatency[] = [];
  console.log('| who | words | p50 ms | p99 ms | complete | hits |\n|---|---|---|---|---|---|');
  const search = searchReader(db, 200, () => performance.now());
  const random = seededRandom(11);
  const queries: readonly [string, () => string, SearchFilters][] = [
    ['rare (about 1 message in 10,000)', () => word(25_000 + random(30_000)), {}],
    ['in 1 % of the messages', () => word(280 + random(40)), {}],
    ['in 20 %', () => word(8 + random(8)), {}],
    ['two: 1 % and 20 %', () => `${word(280 + random(40))} ${word(8 + random(8))}`, {}],
    ['one letter', () => 'kaltemsu'.charAt(random(8)), {}],
    ['absent', () => `zz${random(1e9)}`, {}],
    ['20 %, one conversation', () => word(8 + random(8)), { conversationId: chat(0) }],
  ];
  for (const who of ['person', 'busy'] as const) {
    for (const [name, text, filters] of queries) {
      const times: number[] = [];
      let [complete, hits] = [0, 0];
      for (let n = 0; n < searches; n++) {
        const user = who === 'busy' ? busy : person(random(1_000));
        const start = performance.now();
        const answer = search({ user, text: text(), filters, cursor: null, limit: 20 });
        times.push(performance.now() - start);
        if (answer.outcome !== 'found') throw new Error(answer.why);
        complete += answer.complete ? 1 : 0;
        hits += answer.hits.length;
      }
      times.sort((a, b) => a - b);
      const row = {
        who,
        words: name,
        p50: at(times, 0.5),
        p99: at(times, 0.99),
        complete: complete / searches,
        hits: hits / searches,
      };
      rows.push(row);
      console.log(
        `| ${who} | ${name} | ${row.p50.toFixed(1)} | ${row.p99.toFixed(1)} | ${row.complete} | ${row.hits} |`,
      );
    }
  }
  db.close();
  return Promise.resolve(rows);
};
