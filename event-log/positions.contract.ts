import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { LogId } from '../schemas/position.ts';
import { logStream } from '../schemas/streams.ts';
import { appendAll, isCaughtUp, newChat, pullUntil, wallClock } from './chats.fixture.ts';
import { startEpoch } from './epochs.ts';
import type { EventLog } from './event-log.ts';
import type { LogUnderTest } from './log-under-test.fixture.ts';

export const positionsContract = (name: string, its: LogUnderTest): void => {
  describe(`${name}: positions`, () => {
    const placeOf = (position: Parameters<EventLog['locate']>[0]): number => {
      const located = its.log.locate(position);
      return located.where === 'known' ? located.place : -1;
    };

    test('stay valid when the log is opened again', async () => {
      const chat = newChat(its.keys);
      await appendAll(its.log, chat.stream, [chat.message()], -1);
      const before = its.log.head();
      const place = placeOf(before);
      await its.reopen();
      expect(its.log.head()).toEqual(before);
      expect(placeOf(before)).toBe(place);
      expect(its.log.locateCursor(new Map([[before.log, before.n]]))).toEqual({ where: 'known', place });
    });

    test('no cursor stands before everything', async () => {
      expect(its.log.locateCursor(null)).toEqual({ where: 'known', place: 0 });
      expect(placeOf({ log: its.log.head().log, n: 0 })).toBe(0);
    });

    test('beyond the head are in the future', () => {
      const { log: id, n } = its.log.head();
      expect(its.log.locate({ log: id, n: n + 1 })).toEqual({ where: 'future' });
      expect(its.log.locateCursor(new Map([[id, n + 1]]))).toEqual({ where: 'future' });
    });

    test('of a log that was wiped name an unknown epoch', async () => {
      const before = its.log.head();
      await its.wipe();
      await its.open();
      expect(its.log.locate(before)).toEqual({ where: 'unknown_epoch' });
      expect(its.log.locateCursor(new Map([[before.log, before.n]]))).toEqual({ where: 'unknown_epoch' });
    });

    test('that nobody gave out are of an unknown epoch', () => {
      const { log: id } = its.log.head();
      for (const n of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        expect(its.log.locate({ log: id, n })).toEqual({ where: 'unknown_epoch' });
      }
      expect(its.log.locateCursor(new Map())).toEqual({ where: 'unknown_epoch' });
    });

    test('after a second epoch hold up to the cut, and beyond it name an unknown epoch', async () => {
      const chat = newChat(its.keys);
      await appendAll(its.log, chat.stream, [chat.message(), chat.message()], -1);
      const cut = its.log.head();
      await startEpoch(its.log, 'restored', { clock: wallClock, randomBytes });
      await appendAll(its.log, chat.stream, [chat.message()], 1);
      const check = (): void => {
        const head = its.log.head();
        expect(head.log).not.toBe(cut.log);
        expect(placeOf(cut)).toBeGreaterThan(placeOf({ ...cut, n: cut.n - 1 }));
        expect(placeOf(head)).toBeGreaterThan(placeOf(cut));
        expect(its.log.locate({ ...cut, n: cut.n + 1 })).toEqual({ where: 'unknown_epoch' });
        expect(its.log.locate({ ...head, n: head.n + 1 })).toEqual({ where: 'future' });
        const cursor = new Map([
          ['AAAAAAAAAAAAAAAAAAAAAA' as LogId, 7],
          [cut.log, cut.n],
        ]);
        expect(its.log.locateCursor(cursor)).toEqual({ where: 'known', place: placeOf(cut) });
      };
      check();
      await its.reopen();
      check();
      expect(await its.log.readStream(logStream, 0, 'forwards', 10)).toHaveLength(2);
    });

    test('of one batch all lie in one log', async () => {
      const chat = newChat(its.keys);
      await appendAll(its.log, chat.stream, [chat.message(), chat.message()], -1);
      const cut = its.log.head();
      await startEpoch(its.log, 'restored', { clock: wallClock, randomBytes });
      await appendAll(its.log, chat.stream, [chat.message()], 1);
      await its.heard();
      const live = await pullUntil(its.follow(), isCaughtUp);
      await its.reopen();
      const stored = await pullUntil(its.follow(), isCaughtUp);
      expect(stored).toStrictEqual(live);
      expect(live).toMatchObject([
        { log: cut.log, through: cut, caughtUp: false },
        { log: its.log.head().log, through: its.log.head(), caughtUp: true },
      ]);
      for (const batch of live) {
        for (const { position } of batch.events) expect(position.log).toBe(batch.log);
      }
      const [afterCut] = await pullUntil(its.follow({ from: placeOf(cut) }), isCaughtUp);
      expect(afterCut).toStrictEqual(live[1]);
    });
  });
};
