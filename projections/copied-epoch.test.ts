import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { appendAll, newEvent, wallClock } from '../event-log/chats.fixture.ts';
import { copyLog } from '../event-log/copy-log.ts';
import { dataKeysInMemory } from '../event-log/data-keys.fixture.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { openEventLog } from '../event-log/open-event-log.ts';
import { openSqliteCopyStore, openSqliteLogStore, openSqliteLogStoreReadOnly } from '../event-log/sqlite-log-store.ts';
import { keySubjectOf, type RecordedEvent } from '../schemas/events.ts';
import type { LogId } from '../schemas/position.ts';
import type { StreamName } from '../schemas/streams.ts';
import { applyUpTo } from './apply-up-to.ts';
import { follow } from './follow.ts';
import { tellADay } from './inbox-day.fixture.ts';
import { dumpHash } from './inbox-under-test.fixture.ts';
import { inboxKinds } from './project-inbox.ts';
import { newestEvent, type ReadModelWriter } from './read-model.ts';
import { openSqliteInboxWriter } from './sqlite-inbox.ts';
import { Story } from './story.fixture.ts';

test('I7: an inbox goes on over the epoch of a copied log, and equals one that is built along it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'parley-moved-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(directory, { recursive: true }));
  const [from, to] = [join(directory, 'from'), join(directory, 'to')];
  const keys = dataKeysInMemory(randomBytes);
  const open = async (at: string): Promise<EventLog> => {
    const store = await openSqliteLogStore({ directory: at });
    return openEventLog({ store, keys, clock: wallClock, randomBytes });
  };
  const revisions = new Map<StreamName, number>();
  const tell = async (log: EventLog, events: readonly RecordedEvent[]): Promise<void> => {
    for (const { stream, event } of events) {
      if (event === undefined) continue;
      const subject = keySubjectOf(stream, event);
      if (subject !== undefined && (await keys.keyOf(subject)) === undefined) keys.create(subject);
      const revision = revisions.get(stream) ?? -1;
      await appendAll(log, stream, [newEvent(event)], revision);
      revisions.set(stream, revision + 1);
    }
  };
  const newInbox = (name: string): Promise<ReadModelWriter> => openSqliteInboxWriter(join(directory, name));
  const followed = async (eventLog: EventLog): Promise<void> => {
    const writer = await newInbox('moved.sqlite');
    const warn = (): void => undefined;
    const following = follow({ eventLog, writer, streamKinds: inboxKinds, clock: wallClock, randomBytes, warn });
    const head = eventLog.locate(eventLog.head());
    const place = head.where === 'known' ? head.place : Infinity;
    const ended = following.failed.then(() => false);
    expect(await Promise.race([following.waitFor(place, wallClock.monotonic() + 60_000), ended])).toBe(true);
    await following.close();
    await writer.close();
  };

  const story = new Story();
  tellADay(story, 20_251_125);
  const half = Math.floor(story.events.length / 2);
  const before = await open(from);
  await tell(before, story.events.slice(0, half));
  await followed(before);
  await before.close();

  const [source, target] = [
    await openSqliteLogStoreReadOnly({ directory: from }),
    await openSqliteCopyStore({ directory: to }),
  ];
  const finishing = (): Promise<void> => Promise.resolve();
  const copied = (): void => undefined;
  await copyLog({ source, target, clock: wallClock, randomBytes, copied, finishing });
  await Promise.all([source.close(), target.close()]);

  const after = await open(to);
  stack.defer(() => after.close());
  // First with nothing but the epoch behind what it has, then with the rest of the day.
  await followed(after);
  await tell(after, story.events.slice(half));
  await followed(after);

  const [moved, fresh] = [await newInbox('moved.sqlite'), await newInbox('fresh.sqlite')];
  stack.defer(() => moved.close());
  stack.defer(() => fresh.close());
  const head = after.locate(after.head());
  if (head.where !== 'known') throw new Error('the log does not know its own head');
  const { signal } = new AbortController();
  await applyUpTo({ eventLog: after, writer: fresh, streamKinds: inboxKinds, signal }, head.place);
  expect(await dumpHash(moved)).toBe(await dumpHash(fresh));
  expect((await moved.position())?.applied.place).toBe(head.place);
});

test('the event of a position is carried into a log that counts from elsewhere', () => {
  const log = 'AAAAAAAAAAAAAAAAAAAAAA' as LogId;
  const before = { log, n: 5_000, place: 5_000, event: { n: 4_990, eventId: 'e' } };
  expect(newestEvent([], before, { n: 5_003, place: 5_003 })).toEqual(before.event);
  // The place of the event stays: 4,990 is 10 places before 5,000.
  expect(newestEvent([], before, { n: 11, place: 5_001 })).toEqual({ n: 0, eventId: 'e' });
  expect(newestEvent([], undefined, { n: 1, place: 1 })).toBeNull();
});
