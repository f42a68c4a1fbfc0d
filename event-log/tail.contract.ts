import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { appendAll, eventsIn, isCaughtUp, newChat, pullUntil, receipt, wallClock } from './chats.fixture.ts';
import type { LogUnderTest } from './log-under-test.fixture.ts';

export const tailContract = (name: string, its: LogUnderTest): void => {
  describe(`${name}: tail`, () => {
    test('has no gap and no double from catching up to live, under load', async () => {
      await its.reopen({ events: 64, bytes: 1_048_576 });
      const chats = Array.from({ length: 8 }, () => newChat(its.keys));
      const each = 250;
      const write = Promise.all(
        chats.map(async (chat) => {
          for (let revision = -1; revision < each - 1; revision++) {
            await appendAll(its.log, chat.stream, [chat.message()], revision);
          }
        }),
      );
      const total = chats.length * each;
      const streams = { streamKinds: ['conversation'] as const };
      const tails = Array.from({ length: 3 }, () =>
        pullUntil(its.follow(streams), (batches) => eventsIn(batches).length >= total),
      );
      await write;
      const late = pullUntil(its.follow(streams), isCaughtUp);
      const [first, ...others] = await Promise.all([...tails, late]);
      const seen = eventsIn(first);
      expect(new Set(seen).size).toBe(total);
      for (const other of others) expect(eventsIn(other)).toEqual(seen);
      for (const chat of chats) {
        const revisions = first.flatMap(({ events }) =>
          events.filter(({ stream }) => stream === chat.stream).map(({ revision }) => revision),
        );
        expect(revisions).toEqual(Array.from({ length: each }, (_, revision) => revision));
      }
    });

    test('begins after any place that was given out', async () => {
      const chat = newChat(its.keys);
      for (let revision = -1; revision < 19; revision++)
        await appendAll(its.log, chat.stream, [chat.message()], revision);
      await its.heard();
      const [all] = await pullUntil(its.follow(), isCaughtUp);
      const events = all?.events ?? [];
      for (const [index, { position }] of events.entries()) {
        const located = its.log.locate(position);
        if (located.where !== 'known') throw new Error(located.where);
        const rest = index === events.length - 1 ? undefined : its.follow({ from: located.place }).pullNow()?.events;
        expect(rest ?? []).toEqual(events.slice(index + 1));
      }
    });

    test('says from which places on it needs no store', async () => {
      await its.reopen({ events: 8, bytes: 1_048_576 });
      const chat = newChat(its.keys);
      const places: number[] = [];
      for (let revision = -1; revision < 11; revision++) {
        await appendAll(its.log, chat.stream, [chat.message()], revision);
        const located = its.log.locate(its.log.head());
        if (located.where !== 'known') throw new Error(located.where);
        places.push(located.place);
      }
      await its.heard();
      expect(places.map((place) => its.log.isRecent(place))).toEqual(places.map((_, index) => index >= 3));
    });

    test('gives out nothing from memory that was read with a key since destroyed', async () => {
      const chat = newChat(its.keys);
      await appendAll(its.log, chat.stream, [chat.message('canary')], -1);
      const told = async (): Promise<string> => JSON.stringify(await pullUntil(its.follow(), isCaughtUp));
      expect(await told()).toContain('canary');
      its.keys.destroy(`user:${chat.author}`);
      its.log.forgetRecent();
      expect(await told()).not.toContain('canary');
      const live = its.follow();
      await pullUntil(live, isCaughtUp);
      await appendAll(its.log, chat.receipts, [receipt(chat.author, 1)], -1);
      expect(eventsIn([await live.pull()])).toHaveLength(1);
    });

    test('gives only the kinds asked for, and says how far it looked past the others', async () => {
      const chat = newChat(its.keys);
      await appendAll(its.log, chat.stream, [chat.message()], -1);
      await appendAll(its.log, chat.receipts, [receipt(chat.author, 1)], -1);
      await appendAll(its.log, chat.stream, [chat.message()], 0);
      await its.heard();
      const tail = its.follow({ streamKinds: ['receipts'] });
      const [batch] = await pullUntil(tail, isCaughtUp);
      expect(batch?.events.map(({ stream }) => stream)).toEqual([chat.receipts]);
      await appendAll(its.log, chat.stream, [chat.message()], 1);
      await its.heard();
      expect(tail.pullNow()).toBeUndefined();
      const nothing = await tail.pull();
      expect(nothing).toMatchObject({ events: [], through: its.log.head(), caughtUp: true });
    });

    test('that read the store up to the head and found none of its kinds says so without waiting', async () => {
      const chat = newChat(its.keys);
      await appendAll(its.log, chat.stream, [chat.message()], -1);
      // By this clock no pull ever has waited long enough.
      await its.reopen(undefined, { ...wallClock, monotonic: () => 0 });
      const nothing = await its.follow({ streamKinds: ['receipts'] }).pull();
      expect(nothing).toMatchObject({ events: [], through: its.log.head(), caughtUp: true });
    });

    test('is answered from memory without waiting once there is something', async () => {
      const chat = newChat(its.keys);
      const tail = its.follow();
      await pullUntil(tail, isCaughtUp);
      expect(tail.pullNow()).toBeUndefined();
      const event = chat.message();
      await appendAll(its.log, chat.stream, [event], -1);
      await its.heard();
      expect(tail.pullNow()).toMatchObject({ events: [{ eventId: event.eventId }], caughtUp: true });
      expect(tail.pullNow()).toBeUndefined();
    });

    test('gives batches of a bounded size', async () => {
      const chat = newChat(its.keys);
      await appendAll(
        its.log,
        chat.stream,
        Array.from({ length: 1_200 }, () => chat.message()),
        -1,
      );
      const live = await pullUntil(its.follow(), isCaughtUp);
      await its.reopen();
      const stored = await pullUntil(its.follow(), isCaughtUp);
      for (const batches of [live, stored]) {
        expect(eventsIn(batches)).toHaveLength(1_201);
        expect(Math.max(...batches.map(({ events }) => events.length))).toBeLessThanOrEqual(500);
      }
    });

    test('that nobody pulls holds nothing, and reads the store when memory has moved on', async () => {
      await its.reopen({ events: 1_000, bytes: 20_000 });
      const chat = newChat(its.keys);
      const tail = its.follow();
      const events = Array.from({ length: 500 }, () => chat.message('x'.repeat(200)));
      await appendAll(its.log, chat.stream, events, -1);
      expect(tail.pullNow()).toBeUndefined();
      const all = eventsIn(await pullUntil(tail, isCaughtUp));
      expect(all.slice(1)).toEqual(events.map(({ eventId }) => eventId));
    });

    test('rejects with the reason when it is aborted, and leaves no timer behind', async () => {
      const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
      const before = timers();
      const tail = its.follow();
      await pullUntil(tail, isCaughtUp);
      const pull = tail.pull();
      const reason = new Error('enough');
      its.ended.abort(reason);
      await expect(pull).rejects.toBe(reason);
      await expect(tail.pull()).rejects.toBe(reason);
      // A connection may have had its own, and they end when they like.
      while (timers() > before) await nextTurn();
    });

    test('takes one pull at a time', async () => {
      const tail = its.follow();
      await pullUntil(tail, isCaughtUp);
      const waiting = tail.pull();
      await expect(tail.pull()).rejects.toThrow('one pull after the other');
      const chat = newChat(its.keys);
      await appendAll(its.log, chat.stream, [chat.message()], -1);
      expect((await waiting).events).toHaveLength(1);
    });

    test('ends with the log', async () => {
      const tail = its.follow();
      await pullUntil(tail, isCaughtUp);
      const waiting = tail.pull();
      await Promise.all([expect(waiting).rejects.toThrow('closed'), its.log.close()]);
    });
  });
};
