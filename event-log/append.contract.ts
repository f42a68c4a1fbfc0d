import { describe, expect, test } from 'vitest';
import type { NewEvent } from '../schemas/events.ts';
import { appendAll, newChat, newEvent, receipt } from './chats.fixture.ts';
import type { AppendOutcome } from './event-log.ts';
import type { LogUnderTest } from './log-under-test.fixture.ts';

const attemptsAtOnce = process.env['SOAK'] === '1' ? 20_000 : 4_000;

export const appendContract = (name: string, its: LogUnderTest): void => {
  describe(`${name}: append`, () => {
    test('the first one has revision 0 and lies at or before the head', async () => {
      const chat = newChat(its.keys);
      const outcome = await its.log.append(chat.stream, [chat.message()], -1);
      expect(outcome).toMatchObject({ outcome: 'appended', revision: 0 });
      if (outcome.outcome === 'appended') expect(its.log.head().n).toBeGreaterThanOrEqual(outcome.position.n);
    });

    test('links the events of conversations and users, and no others', async () => {
      const chat = newChat(its.keys);
      const link: unknown = expect.stringMatching(/^[A-Za-z0-9_-]{43}$/);
      expect(await its.log.append(chat.stream, [chat.message(), chat.message()], -1)).toMatchObject({
        links: [link, link],
      });
      const blocked = newEvent({ type: 'user-disabled', disabled: true });
      expect(await its.log.append(`user-${chat.author}`, [blocked], -1)).toMatchObject({ links: [link] });
      expect(await its.log.append(chat.receipts, [receipt(chat.author, 1)], -1)).toMatchObject({ links: [null] });
    });

    test('of a stale revision conflicts and names the actual one', async () => {
      const chat = newChat(its.keys);
      await appendAll(its.log, chat.stream, [chat.message(), chat.message()], -1);
      for (const stale of [-1, 0, 2, 7]) {
        expect(await its.log.append(chat.stream, [chat.message()], stale)).toEqual({
          outcome: 'conflict',
          actualRevision: 1,
        });
      }
    });

    test('to a missing stream conflicts with actual revision -1', async () => {
      const chat = newChat(its.keys);
      for (const stream of [chat.stream, chat.receipts]) {
        const events = stream === chat.stream ? [chat.message()] : [receipt(chat.author, 1)];
        expect(await its.log.append(stream, events, 3)).toEqual({ outcome: 'conflict', actualRevision: -1 });
        expect(await its.log.readStream(stream, 0, 'forwards', 10)).toEqual([]);
      }
    });

    test('writes all of its events or none', async () => {
      const chat = newChat(its.keys);
      await appendAll(its.log, chat.stream, [chat.message()], -1);
      await its.log.append(chat.stream, [chat.message(), chat.message(), chat.message()], -1);
      expect(await its.log.readStream(chat.stream, 0, 'forwards', 10)).toHaveLength(1);
      expect(await appendAll(its.log, chat.stream, [chat.message(), chat.message(), chat.message()], 0)).toBe(3);
      expect(await its.log.readStream(chat.stream, 0, 'forwards', 10)).toHaveLength(4);
    });

    test('repeated at its revision answers as the first did, whatever lies behind it', async () => {
      const chat = newChat(its.keys);
      await appendAll(its.log, chat.stream, [chat.message()], -1);
      const batch = [chat.message(), chat.message()];
      const first = await its.log.append(chat.stream, batch, 0);
      await appendAll(its.log, chat.stream, [chat.message()], 2);
      expect(await its.log.append(chat.stream, batch, 0)).toEqual(first);
      // Made anew from the same decision, after a restart: another ciphertext, the same events.
      await its.reopen();
      const again = batch.map((event): NewEvent => ({ ...event }));
      expect(await its.log.append(chat.stream, again, 0)).toEqual(first);
      expect(await its.log.readStream(chat.stream, 0, 'forwards', 10)).toHaveLength(4);
      expect(await its.log.append(chat.stream, [chat.message()], 3)).toMatchObject({
        outcome: 'appended',
        revision: 4,
      });
    });

    test('that repeats other ids, or only some of them, conflicts', async () => {
      const chat = newChat(its.keys);
      const [one, two] = [chat.message(), chat.message()];
      await appendAll(its.log, chat.stream, [one, two], -1);
      const conflict = { outcome: 'conflict', actualRevision: 1 };
      expect(await its.log.append(chat.stream, [two], -1)).toEqual(conflict);
      expect(await its.log.append(chat.stream, [one, chat.message()], -1)).toEqual(conflict);
      expect(await its.log.append(chat.stream, [one, two, chat.message()], -1)).toEqual(conflict);
      expect(await its.log.append(chat.stream, [one], 1)).toMatchObject({ outcome: 'appended', revision: 2 });
    });

    test('handed over before the one before it was answered comes after it', async () => {
      const chat = newChat(its.keys);
      const outcomes = await Promise.all([
        its.log.append(chat.stream, [chat.message()], -1),
        its.log.append(chat.stream, [chat.message()], 0),
        its.log.append(chat.stream, [chat.message()], 1),
      ]);
      expect(outcomes.map(({ outcome }) => outcome)).toEqual(['appended', 'appended', 'appended']);
      expect(await its.log.readStream(chat.stream, 0, 'forwards', 10)).toHaveLength(3);
    });

    test(
      'D7: of 64 writers on one stream one wins each revision, and a won append may be repeated',
      { timeout: 300_000 },
      async () => {
        const chat = newChat(its.keys);
        const won: { readonly event: NewEvent; readonly at: number; readonly answer: AppendOutcome }[] = [];
        let attempts = 0;
        await Promise.all(
          Array.from({ length: 64 }, async () => {
            let expected = -1;
            while (attempts++ < attemptsAtOnce) {
              const event = chat.message();
              const answer = await its.log.append(chat.stream, [event], expected);
              if (answer.outcome === 'appended') won.push({ event, at: expected, answer });
              else if (answer.outcome !== 'conflict') throw new Error(`answered ${answer.outcome}`);
              expected = answer.outcome === 'appended' ? answer.revision : answer.actualRevision;
            }
          }),
        );
        const stored = await its.log.readStream(chat.stream, 0, 'forwards', 10_000);
        const byRevision = won.toSorted((one, other) => one.at - other.at);
        expect(stored.map(({ eventId }) => eventId)).toEqual(byRevision.map(({ event }) => event.eventId));
        expect(byRevision.map(({ at }) => at)).toEqual(stored.map((_, index) => index - 1));
        for (const { event, at, answer } of byRevision.filter((_, index) => index % 50 === 0)) {
          expect(await its.log.append(chat.stream, [event], at)).toEqual(answer);
        }
      },
    );

    test('without the key of its subject is refused and writes nothing', async () => {
      const chat = newChat(its.keys);
      its.keys.destroy(`user:${chat.author}`);
      const event = chat.message();
      expect(await its.log.append(chat.stream, [event], -1)).toEqual({ outcome: 'refused', why: 'key_missing' });
      expect(await its.log.readStream(chat.stream, 0, 'forwards', 10)).toEqual([]);
      its.keys.create(`user:${chat.author}`);
      expect(await its.log.append(chat.stream, [event], -1)).toMatchObject({ outcome: 'appended' });
    });

    test('after close is refused', async () => {
      const chat = newChat(its.keys);
      const underWay = its.log.append(chat.stream, [chat.message()], -1);
      await its.log.close();
      expect(await underWay).toMatchObject({ outcome: 'appended' });
      expect(await its.log.append(chat.stream, [chat.message()], 0)).toEqual({ outcome: 'refused', why: 'closed' });
    });
  });
};
