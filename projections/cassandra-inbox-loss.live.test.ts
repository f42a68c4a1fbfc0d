import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import type { CassandraConnection } from '../command-side/cassandra-connection.ts';
import { ownKeyspace, type OwnKeyspace } from '../tests/servers/cassandra-keyspace.ts';
import { openCassandraInbox } from './cassandra-inbox.ts';
import { safeAfterMs } from './cassandra-inbox-safe.ts';
import { inboxCassandraTables } from './cassandra-inbox-schema.ts';
import { TestSets } from './cassandra-inbox-set.fixture.ts';
import { openCassandraInboxWriter, type CassandraInboxWriter } from './cassandra-inbox-writer.ts';
import { batchesOf, tellADay } from './inbox-day.fixture.ts';
import type { Inbox } from './inbox.ts';
import type { ReadModelWriter } from './read-model.ts';
import { openSqliteInbox, openSqliteInboxWriter } from './sqlite-inbox.ts';
import { Story } from './story.fixture.ts';

let keyspace: OwnKeyspace;
const sets = new TestSets(() => keyspace.connection);
beforeAll(async () => {
  keyspace = await ownKeyspace(inject('cassandra'), [inboxCassandraTables]);
});
afterAll(() => keyspace[Symbol.asyncDispose]());

interface Opened {
  readonly writer: CassandraInboxWriter;
  readonly inbox: Inbox;
}

/** A set of tables for one case, with a clock of its own. */
const newVersion = (mostCopied = 500) => {
  const set = sets.take();
  const { connection } = keyspace;
  let nowMs = 0;
  let opened: CassandraInboxWriter | undefined;
  return {
    later: (ms: number) => void (nowMs += ms),
    async open(through: CassandraConnection = connection): Promise<Opened> {
      await opened?.close();
      const deps = { connection: through, set, mostCopied, now: () => nowMs, warn: () => undefined };
      opened = await openCassandraInboxWriter(deps);
      return { writer: opened, inbox: openCassandraInbox(connection, set) };
    },
    async [Symbol.asyncDispose]() {
      await opened?.close();
      await sets.giveBack(set);
    },
  };
};

const linesOf = async (writer: ReadModelWriter): Promise<readonly string[]> => {
  const lines = [];
  for await (const line of writer.dump()) lines.push(line);
  return lines.toSorted();
};

/** What the embedded inbox makes of the same story. */
const inSqlite = async (story: Story) => {
  const directory = await mkdtemp(join(tmpdir(), 'parley-inbox-'));
  const path = join(directory, 'inbox.sqlite');
  const writer = await openSqliteInboxWriter(path);
  const inbox = await openSqliteInbox(path);
  onTestFinished(async () => {
    await inbox.close();
    await writer.close();
    await rm(directory, { recursive: true });
  });
  await writer.apply(story.batchOf(story.events, story.events.length));
  return { writer, inbox };
};

/** Acknowledges writes and forgets some of them, as a node does that is killed. */
const forgetful = (connection: CassandraConnection, forgets: () => boolean): CassandraConnection => {
  const isWrite = (query: unknown): boolean => String(query).startsWith('INSERT');
  const client = new Proxy(connection.client, {
    get(target, name): unknown {
      const execute = (query: string, ...rest: unknown[]): unknown =>
        isWrite(query) && forgets()
          ? Promise.resolve({ rows: [] })
          : (target.execute as (...asked: unknown[]) => unknown).call(target, query, ...rest);
      const batch = (statements: readonly { readonly query: string }[], ...rest: unknown[]): unknown => {
        const kept = statements.filter(() => !forgets());
        return kept.length === 0
          ? Promise.resolve({ rows: [] })
          : (target.batch as (...asked: unknown[]) => unknown).call(target, kept, ...rest);
      };
      if (name === 'execute') return execute;
      if (name === 'batch') return batch;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  return { ...connection, client };
};

test('I7: the same day in SQLite and in Cassandra: the same canonical dump and the same answers, copied to members or not', async () => {
  for (const mostCopied of [500, 2]) {
    const story = new Story();
    const { users } = tellADay(story, 20_261_125);
    const embedded = await inSqlite(story);
    await using version = newVersion(mostCopied);
    const { writer, inbox } = await version.open();
    for (const batch of batchesOf(story, 0, story.events.length, 17)) await writer.apply(batch);
    expect(await linesOf(writer)).toEqual(await linesOf(embedded.writer));
    for (const user of users) {
      const both = async <Answer>(ask: (one: Inbox) => Promise<Answer>): Promise<void> =>
        expect(await ask(inbox)).toEqual(await ask(embedded.inbox));
      await both((one) => one.chats(user, { cursor: null, limit: 100 }));
      await both((one) => one.totalUnread(user));
      await both((one) => one.presence(user, users, 3));
      for (const place of [0, story.base + 40, story.base + 120]) {
        await both((one) => one.changesAfter(user, place, 100));
        await both((one) => one.missedAfter(user, place, 500));
      }
      const { chats } = await inbox.chats(user, { cursor: null, limit: 100 });
      for (const { conversationId } of chats) {
        await both((one) => one.messages(user, conversationId, { from: 'newest' }, 200));
        await both((one) => one.members(user, conversationId));
        await both((one) => one.changesOf(user, conversationId, story.base + 40, 200));
      }
    }
  }
});

test('I7: whatever was acknowledged after the safe position and forgotten, following on from there gives what the log has', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        seed: fc.integer(),
        // Of a hundred writes.
        kept: fc.integer({ min: 20, max: 80 }),
        size: fc.integer({ min: 5, max: 60 }),
        again: fc.integer({ min: 5, max: 60 }),
        cuts: fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 3 }),
        mostCopied: fc.constantFrom(500, 3),
      }),
      async ({ seed, kept, size, again, cuts, mostCopied }) => {
        const story = new Story();
        tellADay(story, seed);
        const total = story.events.length;
        const safeAt = Math.floor(total / 3);
        await using version = newVersion(mostCopied);
        const { writer } = await version.open();
        for (const batch of batchesOf(story, 0, safeAt, size)) {
          await writer.apply(batch);
          version.later(1_000);
        }
        version.later(safeAfterMs);
        for (const batch of batchesOf(story, safeAt, safeAt + 2, size)) await writer.apply(batch);
        let turn = Math.abs(seed % 100) / 100;
        const forgets = (): boolean => ((turn += 0.618034) % 1) * 100 >= kept;
        // Each time it is killed it has forgotten some of what was written since, and the next one follows from there.
        for (const percent of cuts) {
          const { writer: forgotten } = await version.open(forgetful(keyspace.connection, forgets));
          const upTo = safeAt + Math.ceil(((total - safeAt) * percent) / 100);
          for (const batch of batchesOf(story, safeAt, upTo, total)) await forgotten.apply(batch);
        }

        const { writer: last } = await version.open();
        const from = ((await last.position())?.safe?.place ?? story.base) - story.base;
        expect(from).toBe(safeAt);
        for (const batch of batchesOf(story, from, total, again)) await last.apply(batch);
        const embedded = await inSqlite(story);
        expect(await linesOf(last)).toEqual(await linesOf(embedded.writer));
      },
    ),
    { numRuns: 8 },
  );
});

test('a message to change that is missing is taken for lost once: it begins anew, and what comes again is whole', async () => {
  const story = new Story();
  const ada = story.user();
  const id = story.group(ada);
  await using version = newVersion();
  const { writer: forgotten } = await version.open(forgetful(keyspace.connection, () => true));
  story.send(id, ada, 'before');
  await forgotten.apply(story.batch());
  const { writer, inbox } = await version.open();
  story.edit(id, ada, 1, 'after');
  await expect(writer.apply(story.batch())).rejects.toThrow('rows may have been lost');
  await expect(writer.apply(story.batch())).rejects.toThrow('begin again');
  expect(await writer.position()).toBeUndefined();
  await writer.apply(story.batchOf(story.events, story.events.length));
  expect(await writer.parked()).toEqual([]);
  expect((await inbox.chat(ada, id))?.lastMessage).toMatchObject({ content: { text: 'after' } });

  const never = story.group(ada);
  story.edit(never, ada, 7, 'of nothing');
  const batch = story.batch();
  await expect(writer.apply(batch)).rejects.toThrow('rows may have been lost');
  await writer.position();
  const { parked } = await writer.apply(batch);
  expect(parked.map(({ error }) => error)).toEqual(['there is no such message to change']);
});

test('what is safe is old enough, also after another one has written, and proves absence no further', async () => {
  const story = new Story();
  const ada = story.user();
  const id = story.group(ada);
  await using version = newVersion();
  const { writer, inbox } = await version.open();
  await writer.apply(story.batch());
  const [first, { messageId }] = [story.place, story.send(id, ada)];
  expect((await writer.position())?.safe).toBeUndefined();
  await writer.apply(story.batch());
  version.later(safeAfterMs - 1);
  story.send(id, ada);
  await writer.apply(story.batch());
  expect((await writer.position())?.safe).toBeUndefined();
  expect(await inbox.findCommand(id, messageId)).toEqual({ revision: 1, safe: 0 });
  version.later(1);
  story.send(id, ada);
  await writer.apply(story.batch());
  version.later(safeAfterMs);
  story.send(id, ada);
  await writer.apply(story.batch());
  const { safe } = await inbox.findCommand(id, messageId);
  expect(safe).toBeGreaterThan(first);
  expect(safe).toBeLessThan(story.place);
  const again = await version.open();
  expect((await again.writer.position())?.safe?.place).toBe(safe);
});

test('an erasure and then the next message: the preview is the new one, and nothing of the old is in any row', async () => {
  const story = new Story();
  const [ada, bob, cleo] = [story.user(), story.user(), story.user()];
  const id = story.group(ada, bob, cleo);
  story.send(id, bob, 'a canary');
  story.announce(bob, 'away', 'canary');
  await using version = newVersion();
  const { writer, inbox } = await version.open();
  await writer.apply(story.batch());
  story.leave(id, cleo);
  await writer.apply(story.batch());
  story.erase(bob);
  await writer.apply(story.batch());
  await expect.poll(() => writer.holdsErased()).toBe(false);
  expect((await inbox.chat(ada, id))?.lastMessage).toMatchObject({ by: bob, content: null });
  story.send(id, ada, 'the next');
  await writer.apply(story.batch());
  expect((await inbox.chat(ada, id))?.lastMessage).toMatchObject({ by: ada, content: { text: 'the next' } });
  expect(await linesOf(writer)).toEqual(await linesOf((await inSqlite(story)).writer));
  const { client } = keyspace.connection;
  const { rows: names } = await client.execute('SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?', [
    keyspace.connection.cluster.keyspace,
  ]);
  for (const row of names) {
    const { rows } = await client.execute(`SELECT JSON * FROM ${String(row['table_name'])}`);
    expect(JSON.stringify(rows)).not.toContain('canary');
  }
});

test('who leaves and comes back finds settings and marks again', async () => {
  const story = new Story();
  const [ada, bob] = [story.user(), story.user()];
  const id = story.group(ada, bob);
  for (let sent = 0; sent < 4; sent++) story.send(id, ada);
  story.mark(id, bob, { delivered: 4, read: 3 });
  story.settings(bob, id, { pinned: true, mutedUntil: 9 });
  await using version = newVersion();
  const { writer, inbox } = await version.open();
  await writer.apply(story.batch());
  story.leave(id, bob);
  await writer.apply(story.batch());
  expect(await inbox.chat(bob, id)).toBeUndefined();
  story.mark(id, ada, { read: 4 });
  story.add(id, ada, bob);
  await writer.apply(story.batch());
  const chat = await inbox.chat(bob, id);
  expect(chat).toMatchObject({
    pinned: true,
    mutedUntil: 9,
    delivered: 4,
    read: 3,
    visibleFrom: 4,
    place: story.place,
  });
  expect(await linesOf(writer)).toEqual(await linesOf((await inSqlite(story)).writer));
});
