import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openSqliteInbox, openSqliteInboxWriter } from '../projections/sqlite-inbox.ts';
import { Story } from '../projections/story.fixture.ts';
import type { ConversationId, UserId } from '../schemas/ids.ts';

// Reads of one user with 2,000 conversations, a million messages in one of them and in all, the writer going at full speed
// first and at 1,000 messages a second while the reads are measured.
const [messages = 1_000_000, conversations = 2_000] = process.argv.slice(2).map(Number);
const batchSize = 500;
const text = randomBytes(150).toString('base64').slice(0, 200);
const directory = await mkdtemp(join(tmpdir(), 'parley-read-latency-'));

const percentile = (sorted: readonly number[], share: number): string =>
  (sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? NaN).toFixed(1);

const bytesIn = async (): Promise<number> => {
  const sizes = (await readdir(directory)).map(async (file) => (await stat(join(directory, file))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
};

try {
  const path = join(directory, 'inbox.sqlite');
  const writer = await openSqliteInboxWriter(path);
  const inbox = await openSqliteInbox(path);
  const story = new Story();
  const reader = story.user('the reader');
  const others = Array.from({ length: 99 }, (_, index) => story.user(`person ${index}`));
  const chats: readonly { readonly id: ConversationId; readonly members: readonly UserId[] }[] = Array.from(
    { length: conversations },
    (_, index) => {
      const members = index === 0 ? others : others.slice(index % 95, (index % 95) + 4);
      return { id: story.group(reader, ...members), members };
    },
  );
  await writer.apply(story.batch());

  let sent = 0;
  const tell = (count: number): void => {
    for (let told = 0; told < count; told++, sent++) {
      const chat = chats[sent % 2 === 0 ? 0 : 1 + (Math.floor(sent / 2) % (conversations - 1))];
      const by = chat?.members[sent % chat.members.length];
      if (chat !== undefined && by !== undefined) story.send(chat.id, by, text);
    }
  };
  let busy = 0;
  while (sent < messages) {
    tell(Math.min(batchSize, messages - sent));
    const batch = story.batch();
    const begun = performance.now();
    await writer.apply(batch);
    busy += performance.now() - begun;
    story.forgetTold();
  }
  console.log(`writer alone: ${Math.round((messages / busy) * 1_000)} messages/s (${batchSize} a batch)`);
  console.log(`bytes a message on disk: ${Math.round((await bytesIn()) / messages)}`);

  const [first] = chats;
  if (first === undefined) throw new Error('there are chats');
  const measured: Readonly<Record<string, () => Promise<unknown>>> = {
    'chat list, 50 of 2,000': () => inbox.chats(reader, { cursor: null, limit: 50 }),
    'one chat with half a million unread': () => inbox.chat(reader, first.id),
    'total unread': () => inbox.totalUnread(reader),
    'newest 50 messages': () => inbox.messages(reader, first.id, { from: 'newest' }, 50),
    '50 messages around any': () =>
      inbox.messages(reader, first.id, { from: 'around', seq: Math.floor((Math.random() * messages) / 2) }, 50),
    'chats changed, 50': () => inbox.changesAfter(reader, story.place - 1_000, 50),
  };
  const stopping = new AbortController();
  const writing = (async () => {
    while (!stopping.signal.aborted) {
      tell(100);
      await Promise.all([writer.apply(story.batch()), pause(100)]);
      story.forgetTold();
    }
  })();
  for (const [name, read] of Object.entries(measured)) {
    const times: number[] = [];
    const until = performance.now() + 5_000;
    while (performance.now() < until) {
      const begun = performance.now();
      await read();
      times.push(performance.now() - begun);
    }
    times.sort((one, other) => one - other);
    console.log(`${name}: p50 ${percentile(times, 0.5)} ms, p99 ${percentile(times, 0.99)} ms (${times.length} reads)`);
  }
  stopping.abort();
  await writing;
  await inbox.close();
  await writer.close();
} finally {
  await rm(directory, { recursive: true });
}
