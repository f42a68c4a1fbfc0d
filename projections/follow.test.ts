import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { appendAll, newChat, newEvent, type Chat } from '../event-log/chats.fixture.ts';
import { LogUnderTest } from '../event-log/log-under-test.fixture.ts';
import { openSqliteLogStore } from '../event-log/sqlite-log-store.ts';
import { userStream, type StreamName } from '../schemas/streams.ts';
import { TestClock } from '../tests/commands-under-test.ts';
import { follow, type Follower } from './follow.ts';
import { inboxKinds } from './project-inbox.ts';
import { placeIn, type FollowedBatch, type ProjectedEvent, type ReadModelWriter } from './read-model.ts';
import { openSqliteInboxWriter } from './sqlite-inbox.ts';

/** Passes everything on to a real writer, fails when told to, and keeps what was applied. */
class FaultyWriter implements ReadModelWriter {
  readonly #writer: ReadModelWriter;
  readonly applied: ProjectedEvent[] = [];
  readonly batches: FollowedBatch[] = [];
  readonly refolded: StreamName[] = [];
  /** How many of the next calls fail: before anything is written, and after it. */
  failuresBefore = 0;
  failuresAfter = 0;
  #failed = Promise.withResolvers<undefined>();

  constructor(writer: ReadModelWriter) {
    this.#writer = writer;
  }

  /** Resolves when all failures asked for have happened. */
  get failedEnough(): Promise<undefined> {
    return this.#failed.promise;
  }

  failNext(before: number, after = 0): void {
    [this.failuresBefore, this.failuresAfter] = [before, after];
    this.#failed = Promise.withResolvers();
  }

  #fail(): never {
    if (this.failuresBefore + this.failuresAfter === 0) this.#failed.resolve(undefined);
    throw new Error('the store is away');
  }

  position() {
    return this.#writer.position();
  }

  async apply(batch: FollowedBatch) {
    if (this.failuresBefore > 0) {
      this.failuresBefore--;
      this.#fail();
    }
    const before = (await this.#writer.position())?.applied.place ?? -1;
    const result = await this.#writer.apply(batch);
    this.applied.push(...batch.events.filter((event) => placeIn(batch, event) > before));
    this.batches.push(batch);
    if (this.failuresAfter > 0) {
      this.failuresAfter--;
      this.#fail();
    }
    return result;
  }

  parked() {
    return this.#writer.parked();
  }
  refold(...given: Parameters<ReadModelWriter['refold']>) {
    this.refolded.push(given[0]);
    return this.#writer.refold(...given);
  }
  holdsErased() {
    return this.#writer.holdsErased();
  }
  dump() {
    return this.#writer.dump();
  }
  close() {
    return this.#writer.close();
  }
}

describe('the follow loop', () => {
  const logs = new LogUnderTest(async () => {
    const directory = await mkdtemp(join(tmpdir(), 'parley-follow-log-'));
    return {
      openStore: () => openSqliteLogStore({ directory }),
      remove: () => rm(directory, { recursive: true }),
    };
  });
  let directory: string;
  let clock: TestClock;
  let writer: FaultyWriter;
  let follower: Follower | undefined;
  let warnings: string[];

  const open = async (): Promise<void> => {
    writer = new FaultyWriter(await openSqliteInboxWriter(join(directory, 'inbox.sqlite')));
  };
  const start = (): Follower => {
    const warn = (_: unknown, message: string): void => void warnings.push(message);
    const deps = { eventLog: logs.log, streamKinds: inboxKinds, clock, randomBytes, warn };
    return (follower = follow({ ...deps, writer }));
  };
  const stop = async (): Promise<void> => {
    await follower?.close();
    follower = undefined;
  };

  beforeEach(async () => {
    await logs.begin();
    directory = await mkdtemp(join(tmpdir(), 'parley-follow-'));
    clock = new TestClock();
    warnings = [];
    await open();
  });
  afterEach(async () => {
    await stop();
    await writer.close();
    await logs.end();
    await rm(directory, { recursive: true });
  });

  const startChat = async (): Promise<Chat> => {
    const chat = newChat(logs.keys);
    const { event } = chat.message();
    if (event.type !== 'message-sent') throw new Error('a message is sent');
    const { commandId, idTimeMax, mac, by } = event;
    const members = [{ userId: by, role: 'admin' as const }];
    const base = { commandId, idTimeMax, mac, by, seq: 0 };
    await appendAll(
      logs.log,
      chat.stream,
      [newEvent({ type: 'conversation-started', ...base, kind: 'group', members })],
      -1,
    );
    return chat;
  };
  /** Appends messages one by one and says the last one's place. */
  const send = async (chat: Chat, after: number, count: number): Promise<number> => {
    for (let sent = 0; sent < count; sent++) await appendAll(logs.log, chat.stream, [chat.message()], after + sent);
    const head = logs.log.locate(logs.log.head());
    return head.where === 'known' ? head.place : NaN;
  };
  const never = Infinity;
  const soon = (): number => clock.monotonic() + 20_000;

  test('far behind, it is given thousands of events at once', async () => {
    const chat = await startChat();
    const pages = Array.from({ length: 12 }, () => Array.from({ length: 400 }, () => chat.message()));
    let revision = 0;
    for (const page of pages) revision = await appendAll(logs.log, chat.stream, page, revision);
    await logs.reopen({ events: 16, bytes: 1_048_576 });
    const head = logs.log.locate(logs.log.head());
    expect(await start().waitFor(head.where === 'known' ? head.place : NaN, soon())).toBe(true);
    expect(writer.batches).toHaveLength(2);
    expect(writer.applied.map((event) => event.revision)).toEqual(Array.from({ length: 4_801 }, (_, index) => index));
  });

  test('applies every event once, in order, live and after a restart from the stored position', async () => {
    const chat = await startChat();
    chat.message();
    const first = await send(chat, 0, 30);
    expect(await start().waitFor(first, soon())).toBe(true);
    const live = await send(chat, 30, 30);
    expect(await follower?.waitFor(live, soon())).toBe(true);
    await stop();
    await writer.close();
    const beforeStop = writer.applied;
    await open();
    const later = await send(chat, 60, 30);
    expect(await start().waitFor(later, soon())).toBe(true);
    const revisions = [...beforeStop, ...writer.applied].filter(({ stream }) => stream === chat.stream);
    expect(revisions.map(({ revision }) => revision)).toEqual(Array.from({ length: 91 }, (_, at) => at));
    expect(follower?.status()).toMatchObject({ behind: 0, behindMs: 0, failing: undefined });
  });

  test('D12: a store that fails for a while, before or after it has written, gets everything once', async () => {
    const chat = await startChat();
    chat.message();
    expect(await start().waitFor(await send(chat, 0, 1), soon())).toBe(true);
    // One that has written may have written all there is: then nothing is left to fail on again.
    writer.failNext(2, 1);
    const place = await send(chat, 1, 20);
    const waiting = follower?.waitFor(place, soon());
    await writer.failedEnough;
    expect(await waiting).toBe(true);
    expect(writer.applied.map(({ stream, revision }) => `${stream} ${revision}`)).toEqual([
      ...new Set(writer.applied.map(({ stream, revision }) => `${stream} ${revision}`)),
    ]);
    expect(writer.applied.filter(({ stream }) => stream === chat.stream)).toHaveLength(22);
    expect(follower?.status().failing).toBeUndefined();
    expect(warnings.length).toBeGreaterThanOrEqual(3);
  });

  test('says why it does not go on, and how far behind it is', async () => {
    const chat = await startChat();
    chat.message();
    expect(await start().waitFor(await send(chat, 0, 1), soon())).toBe(true);
    writer.failNext(1);
    await send(chat, 1, 5);
    await writer.failedEnough;
    await new Promise(setImmediate);
    expect(follower?.status()).toMatchObject({ behind: 5, failing: 'the store is away' });
    expect(follower?.status().behindMs).toBeGreaterThanOrEqual(0);
  });

  test('I5: a wait ends at its place or at its deadline, whichever is first', async () => {
    const chat = await startChat();
    chat.message();
    const following = start();
    const place = await send(chat, 0, 1);
    expect(await following.waitFor(place, soon())).toBe(true);
    expect(await following.waitFor(place, clock.monotonic() - 1)).toBe(true);
    expect(await following.waitFor(place + 1, clock.monotonic())).toBe(false);
    const waits = [following.waitFor(place + 1, clock.monotonic() + 5), following.waitFor(place + 1, never)];
    expect(await waits[0]).toBe(false);
    await send(chat, 1, 1);
    expect(await waits[1]).toBe(true);
    const unheard = following.waitFor(place + 2, never);
    await stop();
    expect(await unheard).toBe(false);
    expect(await following.waitFor(place + 2, never)).toBe(false);
  });

  test('D14: a parked stream waits, the rest go on, and a retry folds it anew', async () => {
    const [poisoned, whole] = [await startChat(), await startChat()];
    for (const chat of [poisoned, whole]) chat.message();
    const { event } = poisoned.message();
    if (event.type !== 'message-sent') throw new Error('a message is sent');
    const { commandId, idTimeMax, mac, by, seq } = event;
    const edit = { type: 'message-edited' as const, commandId, idTimeMax, mac, by, seq, target: 99, content: null };
    await appendAll(logs.log, poisoned.stream, [newEvent(edit)], 0);
    const place = await send(whole, 0, 3);
    expect(await start().waitFor(place, soon())).toBe(true);
    const parked = await writer.parked();
    expect(parked).toMatchObject([{ stream: poisoned.stream, revision: 1 }]);
    expect(follower?.status().parked).toEqual(parked);
    expect(warnings).toEqual(['a stream was parked: an event of it cannot be projected']);
    await follower?.retry(poisoned.stream);
    expect(follower?.status().parked).toEqual(parked);
    await expect(follower?.retry(whole.stream)).rejects.toThrow('is not parked');
    expect(writer.refolded).toEqual([poisoned.stream]);
    expect(await follower?.waitFor(await send(whole, 3, 1), soon())).toBe(true);
    await expect(stop().then(() => start().retry(poisoned.stream))).resolves.toBeUndefined();
    expect(await writer.parked()).toEqual(parked);
  });

  test('a read model of another log, or of a tail that was lost, is refused and left as it is', async () => {
    const chat = await startChat();
    const place = await send(chat, 0, 3);
    expect(await start().waitFor(place, soon())).toBe(true);
    const before = await writer.position();
    await stop();
    await logs.wipe();
    await logs.open();
    await appendAll(logs.log, userStream(chat.author), [newEvent({ type: 'user-erased' })], -1);
    expect((await start().failed).message).toContain('another log');
    expect(await writer.position()).toEqual(before);
    expect(await follower?.waitFor(place + 1, never)).toBe(false);
    await expect(follower?.retry(chat.stream)).rejects.toThrow('ended');
  });
});
