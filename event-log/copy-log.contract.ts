import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RecordedEvent } from '../schemas/events.ts';
import { logStream, streamKinds } from '../schemas/streams.ts';
import { appendAll, isCaughtUp, newChat, pullUntil, receipt, wallClock, type Chat } from './chats.fixture.ts';
import { copyLog, type CopiedLog } from './copy-log.ts';
import { dataKeysInMemory, type DataKeysInMemory } from './data-keys.fixture.ts';
import { startEpoch } from './epochs.ts';
import type { EventLog } from './event-log.ts';
import type { LogStore } from './log-store.ts';
import { openEventLog } from './open-event-log.ts';
import { openSqliteCopyStore, openSqliteLogStore, openSqliteLogStoreReadOnly } from './sqlite-log-store.ts';

/** Where a copy goes: empty when it is made, opened as often as a case likes. */
export interface CopyPlace {
  /** For the copy that is made. */
  openCopy(): Promise<LogStore>;
  /** As a log. */
  openStore(): Promise<LogStore>;
  remove(): Promise<void>;
}

export const sqliteCopyPlace = async (): Promise<CopyPlace> => {
  const directory = await mkdtemp(join(tmpdir(), 'parley-copy-'));
  return {
    openCopy: () => openSqliteCopyStore({ directory }),
    openStore: () => openSqliteLogStore({ directory }),
    remove: () => rm(directory, { recursive: true }),
  };
};

const chats = 7;
const dependencies = { clock: wallClock, randomBytes };

/** What every target of a copy keeps, from a log in SQLite. */
export const copyLogContract = (name: string, newPlace: () => Promise<CopyPlace>): void => {
  describe(`a log copied to ${name}`, () => {
    let directory: string;
    let place: CopyPlace;
    let keys: DataKeysInMemory;
    let their: readonly Chat[];
    let ended: AbortController;
    const closing: (() => Promise<void>)[] = [];

    const open = async (store: Promise<LogStore>): Promise<EventLog> => {
      const log = await openEventLog({ store: await store, keys, ...dependencies });
      closing.push(() => log.close());
      return log;
    };
    const openSource = (): Promise<EventLog> => open(openSqliteLogStore({ directory }));
    const openCopied = (): Promise<EventLog> => open(place.openStore());
    const events = async (log: EventLog, from = 0): Promise<readonly RecordedEvent[]> =>
      (await pullUntil(log.tail({ from, streamKinds, signal: ended.signal }), isCaughtUp)).flatMap((batch) => [
        ...batch.events,
      ]);
    const placeOf = (log: EventLog, position: RecordedEvent['position']): number => {
      const located = log.locate(position);
      return located.where === 'known' ? located.place : -1;
    };

    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'parley-source-'));
      place = await newPlace();
      keys = dataKeysInMemory(randomBytes);
      ended = new AbortController();
      their = Array.from({ length: chats }, () => newChat(keys));
    });
    afterEach(async () => {
      ended.abort();
      for (const close of closing.splice(0)) await close();
      await place.remove();
      await rm(directory, { recursive: true });
    });

    /** Interleaved, and brought back once from an older copy. */
    const fill = async (log: EventLog, rounds: number): Promise<void> => {
      for (let round = 0; round < rounds; round++) {
        await Promise.all(
          their.flatMap((chat) => [
            appendAll(log, chat.stream, [chat.message(), chat.message()], round * 2 - 1),
            appendAll(log, chat.receipts, [receipt(chat.author, round)], round - 1),
          ]),
        );
      }
    };
    const begin = async (rounds: number): Promise<EventLog> => {
      const log = await openSource();
      await fill(log, rounds);
      await startEpoch(log, 'restored', dependencies);
      for (const chat of their) await appendAll(log, chat.stream, [chat.message('after')], rounds * 2 - 1);
      return log;
    };

    const copy = async (
      through: (target: LogStore) => LogStore = (target) => target,
      window = { events: 5, bytes: 1_000_000 },
    ): Promise<CopiedLog> => {
      const source = await openSqliteLogStoreReadOnly({ directory });
      const target = await place.openCopy();
      try {
        const finishing = (): Promise<void> => Promise.resolve();
        const copied = (): void => undefined;
        return await copyLog({ source, target: through(target), ...dependencies, window, copied, finishing });
      } finally {
        await target.close();
        await source.close();
      }
    };

    test('has every event as it was, at its place, and goes on behind them', async () => {
      const source = await begin(3);
      const all = await events(source);
      const end = source.head();
      const places = all.map(({ position }) => placeOf(source, position));
      await source.close();
      expect(await copy()).toMatchObject({ was: 'copied', events: all.length });

      const log = await openCopied();
      const copied = await events(log);
      expect(copied.slice(0, -1)).toStrictEqual(all);
      expect(copied.at(-1)).toMatchObject({
        stream: logStream,
        event: { reason: 'copied', parent: { log: end.log, cut: end.n } },
      });
      expect(all.map(({ position }) => placeOf(log, position))).toEqual(places);
      for (const chat of their) {
        const stream = await log.readStream(chat.stream, 0, 'forwards', 100);
        expect(stream).toStrictEqual(all.filter(({ stream: of }) => of === chat.stream));
      }
      const [chat] = their;
      if (chat === undefined) throw new Error('no chat');
      const before = placeOf(log, log.head());
      const last = await log.append(chat.stream, [chat.message('new')], 6);
      expect(last).toMatchObject({ outcome: 'appended', revision: 7 });
      expect(placeOf(log, log.head())).toBeGreaterThan(before);
      expect(before).toBeGreaterThan(places.at(-1) ?? 0);
      expect((await events(log)).at(-1)).toMatchObject({ stream: chat.stream, revision: 7 });
    });

    test('whoever was away goes on from any cursor, without loss, double or a new start', async () => {
      const source = await begin(3);
      const all = await events(source);
      // A device between two events, one in the middle of its first sync, a feed at the end of a page.
      const cursors = [...all.map(({ position }) => position), source.positionAt(0), source.head()];
      await source.close();
      await copy();
      const log = await openCopied();
      const chat = newChat(keys);
      await appendAll(log, chat.stream, [chat.message()], -1);
      const now = await events(log);
      for (const { log: id, n } of cursors) {
        const located = log.locateCursor(new Map([[id, n]]));
        if (located.where !== 'known') throw new Error(`${id}:${n} is ${located.where}`);
        const after = await events(log, located.place);
        expect(after).toStrictEqual(now.filter(({ position }) => placeOf(log, position) > located.place));
        expect(log.positionAt(located.place)).toEqual({ log: id, n });
      }
      const { log: id, n } = cursors.at(-1) ?? log.head();
      expect(log.locate({ log: id, n: n + 1 })).toEqual({ where: 'unknown_epoch' });
    });

    test('repeated appends of before the copy are answered as then', async () => {
      const source = await openSource();
      const [chat] = their;
      if (chat === undefined) throw new Error('no chat');
      const said = [chat.message(), chat.message()];
      const first = await source.append(chat.stream, said, -1);
      await source.close();
      await copy();
      const log = await openCopied();
      const again = await log.append(chat.stream, said, -1);
      expect(again).toEqual(first);
    });

    test('ended after any number of appends, it goes on and comes to the same', async () => {
      const source = await begin(2);
      const all = await events(source);
      await source.close();
      // Windows of other sizes, too: what stands in the copy then ends in the middle of one.
      for (const [most, size] of [
        [0, 5],
        [2, 16],
        [5, 3],
      ] as const) {
        let appends = 0;
        const dying = (target: LogStore): LogStore => ({
          ...target,
          append: async (request) => {
            // Every other time it was written, and nobody heard of it.
            const ends = appends++ >= most;
            const outcome = ends && appends % 2 === 0 ? undefined : await target.append(request);
            if (ends || outcome === undefined) throw new Error('the process ends');
            return outcome;
          },
        });
        await expect(copy(dying, { events: size, bytes: 1_000_000 })).rejects.toThrow('the process ends');
        if (most > 0) await expect(openCopied()).rejects.toThrow(/a copy that is not finished/);
      }
      expect(await copy()).toMatchObject({ was: 'copied', events: all.length });
      expect(await copy()).toEqual({ was: 'finished' });
      const log = await openCopied();
      expect((await events(log)).slice(0, -1)).toStrictEqual(all);
    });

    test('a target with another log, or more of this one, is refused and left as it is', async () => {
      const source = await begin(1);
      await source.close();
      const other = directory;
      directory = await mkdtemp(join(tmpdir(), 'parley-source-'));
      await (await begin(1)).close();
      await copy();
      await rm(directory, { recursive: true });
      directory = other;
      await expect(copy()).rejects.toThrow('the target holds another log');
    });

    test('a copy of the copy keeps the places of the first', async () => {
      const source = await begin(2);
      await source.close();
      await copy();
      const first = await openCopied();
      const [chat] = their;
      if (chat === undefined) throw new Error('no chat');
      await appendAll(first, chat.stream, [chat.message('between')], 4);
      const all = await events(first);
      const places = all.map(({ position }) => placeOf(first, position));
      await first.close();

      const second = await sqliteCopyPlace();
      closing.push(() => second.remove());
      const from = await place.openStore();
      const target = await second.openCopy();
      try {
        const finishing = (): Promise<void> => Promise.resolve();
        await copyLog({ source: from, target, ...dependencies, copied: () => undefined, finishing });
      } finally {
        await from.close();
        await target.close();
      }
      const log = await open(second.openStore());
      const copied = await events(log);
      expect(copied.slice(0, -1)).toStrictEqual(all);
      expect(all.map(({ position }) => placeOf(log, position))).toEqual(places);
      await startEpoch(log, 'restored', dependencies);
      await appendAll(log, chat.stream, [chat.message('last')], 5);
      const last = await events(log, places.at(-1));
      expect(last.map(({ type }) => type)).toEqual(['epoch-started', 'epoch-started', 'message-sent']);
      const rising = last.map(({ position }) => placeOf(log, position));
      expect(rising).toEqual(rising.toSorted((one, other) => one - other));
      await log.close();
    });
  });
};
