import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { checksumOf, firstLink, linkOf, noLink } from './chain.ts';
import { appendAll, isCaughtUp, newChat, pullUntil, receipt } from './chats.fixture.ts';
import { encodeEnvelope, parseEnvelope } from './envelope.ts';
import type { LogUnderTest } from './log-under-test.fixture.ts';

export const readContract = (name: string, its: LogUnderTest): void => {
  describe(`${name}: read`, () => {
    test.each([
      ['empty', ''],
      ['accented', 'é è ñ Ω'],
      ['emoji', '👩‍👩‍👧‍👦 🏳️‍🌈 ok'],
      ['right-to-left', 'مرحبا שלום'],
      ['Japanese and Thai', '東京都は สวัสดี'],
      ['a NUL and controls', 'a\u0000b\u001fc'],
      ['400 kB of emoji', '😀'.repeat(100_000)],
      ['2^53+1 as text', '9007199254740993'],
    ])('gives back a text that is %s', async (_, text) => {
      const chat = newChat(its.keys);
      const event = chat.message(text);
      await appendAll(its.log, chat.stream, [event], -1);
      const [stored] = await its.log.readStream(chat.stream, 0, 'forwards', 1);
      expect(stored?.event).toStrictEqual(event.event);
    });

    test('gives the same event from the store as live', async () => {
      const chat = newChat(its.keys);
      await appendAll(its.log, chat.stream, [chat.message(), chat.message()], -1);
      await appendAll(its.log, chat.receipts, [receipt(chat.author, 2)], -1);
      await its.heard();
      const [live] = await pullUntil(its.follow(), isCaughtUp);
      const head = its.log.head();
      await its.reopen();
      expect(its.log.head()).toEqual(head);
      const [stored] = await pullUntil(its.follow(), isCaughtUp);
      expect(stored).toStrictEqual(live);
      expect(stored?.events).toHaveLength(4);
    });

    test('pages forwards and backwards', async () => {
      const chat = newChat(its.keys);
      await appendAll(
        its.log,
        chat.stream,
        Array.from({ length: 10 }, () => chat.message()),
        -1,
      );
      const revisions = async (...args: [number | 'end', 'forwards' | 'backwards', number]): Promise<number[]> =>
        (await its.log.readStream(chat.stream, ...args)).map(({ revision }) => revision);
      expect(await revisions(0, 'forwards', 3)).toEqual([0, 1, 2]);
      expect(await revisions(8, 'forwards', 5)).toEqual([8, 9]);
      expect(await revisions(10, 'forwards', 5)).toEqual([]);
      expect(await revisions('end', 'backwards', 2)).toEqual([9, 8]);
      expect(await revisions('end', 'forwards', 2)).toEqual([9]);
      expect(await revisions(1, 'backwards', 5)).toEqual([1, 0]);
      expect(await revisions(25, 'backwards', 2)).toEqual([9, 8]);
      expect(await revisions(0, 'forwards', 0)).toEqual([]);
    });

    test('ends a page of big texts at about 4 MiB, and the next goes on where it ended', async () => {
      const chat = newChat(its.keys);
      const text = '😀'.repeat(100_000);
      const events = Array.from({ length: 25 }, () => chat.message(text));
      for (const [index, event] of events.entries()) await appendAll(its.log, chat.stream, [event], index - 1);
      const ids = events.map(({ eventId }) => eventId);
      for (const direction of ['forwards', 'backwards'] as const) {
        const read: string[] = [];
        for (let from = direction === 'forwards' ? 0 : 24; from >= 0;) {
          const page = await its.log.readStream(chat.stream, from, direction, 1_000);
          if (page.length === 0) break;
          expect(page.length).toBeLessThanOrEqual(12);
          read.push(...page.map(({ eventId }) => eventId));
          from += direction === 'forwards' ? page.length : -page.length;
        }
        expect(read).toEqual(direction === 'forwards' ? ids : ids.toReversed());
      }
    });

    test('of a missing stream gives nothing', async () => {
      const { stream } = newChat(its.keys);
      expect(await its.log.readStream(stream, 0, 'forwards', 10)).toEqual([]);
      expect(await its.log.readStream(stream, 'end', 'backwards', 10)).toEqual([]);
    });

    test('gives null for what is personal once the key is gone, and the chain still holds', async () => {
      const [kept, erased] = [newChat(its.keys), newChat(its.keys)];
      await appendAll(its.log, kept.stream, [kept.message('one'), erased.message('two'), kept.message('three')], -1);
      its.keys.destroy(`user:${erased.author}`);
      await its.reopen();
      const events = (await its.log.readStream(kept.stream, 0, 'forwards', 10)).map(({ event }) => event);
      expect(events).toMatchObject([
        { content: { text: 'one' } },
        { content: null, by: erased.author },
        { content: { text: 'three' } },
      ]);
      expect(await its.log.append(kept.stream, [kept.message()], 2)).toMatchObject({
        outcome: 'appended',
        revision: 3,
      });
    });

    test('passes on what a later process wrote, with its critical flag', async () => {
      const chat = newChat(its.keys);
      await appendAll(its.log, chat.stream, [chat.message()], -1);
      await its.log.close();
      const store = await its.openStore();
      const [first] = await store.readStream(chat.stream, 0, 'forwards', 1);
      const known = parseEnvelope(first?.envelope ?? noLink);
      let link = first?.link ?? firstLink;
      const later = [
        { type: 'message-pinned', version: 1, critical: true },
        { type: 'message-tinted', version: 1, critical: false },
        { type: 'message-sent', version: 2, critical: true },
      ];
      const events = later.map((changes, index) => {
        const eventId = randomBytes(16);
        const envelope = encodeEnvelope({ ...known, ...changes, eventId });
        link = linkOf(link, envelope);
        return { envelope, link, checksum: checksumOf(envelope, index + 1, link, undefined) };
      });
      await store.append({ stream: chat.stream, expectedRevision: 0, priority: 0, events });
      await store.close();
      await its.open();
      const [, ...stored] = await its.log.readStream(chat.stream, 0, 'forwards', 10);
      expect(stored.map(({ type, schemaVersion: version, critical }) => ({ type, version, critical }))).toEqual(later);
      expect(stored.map(({ event }) => event)).toEqual([undefined, undefined, undefined]);
      expect(await its.log.append(chat.stream, [chat.message()], 3)).toMatchObject({
        outcome: 'appended',
        revision: 4,
      });
    });
  });
};
