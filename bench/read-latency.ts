import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Inbox } from '../projections/inbox.ts';
import { openSqliteInbox, openSqliteInboxWriter } from '../projections/sqlite-inbox.ts';
import { Story } from '../projections/story.fixture.ts';
import type { ConversationId, UserId } from '../schemas/ids.ts';
import { temporaryFolder } from '../tests/server-process.ts';
import type { BenchOptions } from './options.ts';
import { sizesOf } from './views.ts';

const conversations = 2_000;
const batchSize = 500;
const text = randomBytes(150).toString('base64').slice(0, 200);

interface Chat {
  readonly id: ConversationId;
  readonly members: readonly UserId[];
}

/** One user with 2,000 conversations, who is in one of a hundred people that has half of all messages. */
class Crowd {
  readonly story = new Story();
  readonly reader = this.story.user('the reader');
  readonly chats: readonly Chat[];
  #sent = 0;

  constructor() {
    const others = Array.from({ length: 99 }, (_, index) => this.story.user(`person ${index}`));
    this.chats = Array.from({ length: conversations }, (_, index) => {
      const members = index === 0 ? others : others.slice(index % 95, (index % 95) + 4);
      return { id: this.story.group(this.reader, ...members), members };
    });
  }

  tell(count: number): void {
    for (let told = 0; told < count; told++, this.#sent++) {
      const sent = this.#sent;
      const chat = this.chats[sent % 2 === 0 ? 0 : 1 + (Math.floor(sent / 2) % (conversations - 1))];
      const by = chat?.members[sent % chat.members.length];
      if (chat !== undefined && by !== undefined) this.story.send(chat.id, by, text);
    }
  }
}

const at = (sorted: readonly number[], share: number): number =>
  Number((sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? NaN).toFixed(1));

const readsOf = (
  inbox: Inbox,
  { story, reader, chats }: Crowd,
  messages: number,
): Record<string, () => Promise<unknown>> => {
  const [first] = chats;
  if (first === undefined) throw new Error('there are chats');
  const anySeq = (): number => Math.floor((Math.random() * messages) / 2);
  return {
    'chat list, 50 of 2,000': () => inbox.chats(reader, { cursor: null, limit: 50 }),
    'one chat with half of all unread': () => inbox.chat(reader, first.id),
    'total unread': () => inbox.totalUnread(reader),
    'newest 50 messages': () => inbox.messages(reader, first.id, { from: 'newest' }, 50),
    '50 messages around any': () => inbox.messages(reader, first.id, { from: 'around', seq: anySeq() }, 50),
    'changes, 50': () => inbox.changesAfter(reader, story.place - 1_000, 50),
    'what was missed, 1,000': () => inbox.missedAfter(reader, story.place - 1_000, 2_000),
  };
};

/** Reads of the inbox at a million messages while 1,000 a second come in; before, the writer alone at full speed. */
export const benchReadLatency = async ({ quick }: BenchOptions): Promise<object> => {
  const messages = quick ? 100_000 : 1_000_000;
  const folder = await temporaryFolder('read-latency');
  const path = join(folder.path, 'inbox.sqlite');
  const writer = await openSqliteInboxWriter(path);
  const inbox = await openSqliteInbox(path);
  const crowd = new Crowd();
  const { story } = crowd;
  const rows: Record<string, { p50_ms: number; p99_ms: number; reads: number }> = {};
  try {
    await writer.apply(story.batch());
    let busy = 0;
    for (let sent = 0; sent < messages; sent += batchSize) {
      crowd.tell(batchSize);
      const batch = story.batch();
      const begun = performance.now();
      await writer.apply(batch);
      busy += performance.now() - begun;
      story.forgetTold();
    }
    const { inbox: bytes } = await sizesOf(folder.path);
    console.log(
      `writer alone: ${Math.round((messages / busy) * 1_000)} messages/s, ${Math.round(bytes / messages)} bytes each with the WAL`,
    );

    const stopping = new AbortController();
    const writing = (async () => {
      while (!stopping.signal.aborted) {
        crowd.tell(100);
        await Promise.all([writer.apply(story.batch()), pause(100)]);
        story.forgetTold();
      }
    })();
    for (const [name, read] of Object.entries(readsOf(inbox, crowd, messages))) {
      const times: number[] = [];
      const until = performance.now() + (quick ? 1_000 : 5_000);
      while (performance.now() < until) {
        const begun = performance.now();
        await read();
        times.push(performance.now() - begun);
      }
      times.sort((one, other) => one - other);
      rows[name] = { p50_ms: at(times, 0.5), p99_ms: at(times, 0.99), reads: times.length };
    }
    stopping.abort();
    await writing;
  } finally {
    await inbox.close();
    await writer.close();
    await folder.stop();
  }
  console.table(rows);
  return rows;
};
