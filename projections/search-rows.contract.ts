import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { conversationStream } from '../schemas/streams.ts';
import { batchOf, searchHistory, textOf, type SearchHistory } from '../tests/search-history.ts';
import { randomHistory } from '../tests/search-scenes.ts';
import {
  ann,
  applyAll,
  ask,
  bob,
  chat,
  closeIndex,
  cyd,
  dan,
  linesOf,
  longBudget,
  other,
  seqs,
  type Opened,
  type SearchUnderTest,
} from '../tests/search-under-test.ts';

/** The part of `searchContract` about how the index follows the log. */
export const searchRowsContract = (name: string, prepare: () => Promise<SearchUnderTest>): void => {
  describe(`search: ${name}, as a read model`, () => {
    let place: SearchUnderTest;
    let index: Opened;
    let history: SearchHistory;
    beforeEach(async () => {
      place = await prepare();
      index = await place.open(longBudget);
      history = searchHistory();
      history.start(chat, ann, bob);
    });
    afterEach(async () => {
      await closeIndex(index);
      await place.remove();
    });

    test(
      'X2, I7, I8: batches of any size, repeated from anywhere, cut by restarts, give the rows of one batch',
      { timeout: 300_000 },
      async () => {
        const { history: long } = randomHistory(42, 500);
        await applyAll(index, long);
        const whole = await linesOf(index);
        expect(whole.length).toBeGreaterThan(50);
        const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 120 }), fc.nat(60), fc.boolean()), {
          minLength: 3,
          maxLength: 8,
        });
        await fc.assert(
          fc.asyncProperty(steps, async (cuts) => {
            const fresh = await place.fresh();
            let opened = await fresh.open(longBudget);
            const reopen = async (): Promise<void> => {
              await closeIndex(opened);
              opened = await fresh.open(longBudget);
            };
            try {
              let done = 0;
              for (const [size, back, restart] of [...cuts, [long.events.length, 0, true] as const]) {
                const to = Math.min(done + size, long.events.length);
                await opened.writer.apply(batchOf(long.events, Math.max(0, done - back), to));
                done = to;
                if (restart) await reopen();
                expect((await opened.writer.position())?.applied).toEqual(batchOf(long.events, 0, done).through);
              }
              expect(await linesOf(opened)).toEqual(whole);
            } finally {
              await closeIndex(opened);
              await fresh.remove();
            }
          }),
          { numRuns: 5 },
        );
      },
    );

    test('an erased author is not found and not in the dump; the others are', async () => {
      const edited = history.send(chat, bob, textOf('canary one'));
      history.send(chat, ann, textOf('canary mine'));
      history.edit(chat, bob, edited, textOf('canary two'));
      history.erase(bob);
      await applyAll(index, history);
      expect(seqs(await ask(index, ann, 'canary'))).toEqual([2]);
      const lines = (await linesOf(index)).join('\n');
      expect(lines).not.toContain('canary one');
      expect(lines).not.toContain('canary two');
      expect(lines).toContain('canary mine');
    });

    test('what was under way when its author was erased is not found either', async () => {
      history.erase(bob);
      history.send(chat, bob, textOf('canary late'));
      history.send(chat, ann, textOf('canary mine'));
      await applyAll(index, history);
      expect(seqs(await ask(index, ann, 'canary'))).toEqual([2]);
    });

    test('what an erased author wrote has no content in a log whose key is gone, and gives the same rows', async () => {
      history.send(chat, bob, textOf('before'));
      history.erase(bob);
      await applyAll(index, history);
      const after = searchHistory();
      after.start(chat, ann, bob);
      after.send(chat, bob, null);
      after.erase(bob);
      const fresh = await place.fresh();
      const rebuilt = await fresh.open(longBudget);
      try {
        await applyAll(rebuilt, after);
        expect(await linesOf(rebuilt)).toEqual(await linesOf(index));
      } finally {
        await closeIndex(rebuilt);
        await fresh.remove();
      }
    });

    test('D14: an unknown critical event parks its conversation, which is not found and makes answers incomplete', async () => {
      history.start(other, ann, cyd);
      history.send(chat, bob, textOf('word here'));
      history.send(other, cyd, textOf('word there'));
      history.unknown(conversationStream(other), false);
      history.unknown(conversationStream(chat), true);
      const poison = history.events.at(-1);
      history.send(chat, bob, textOf('word later'));
      history.send(other, cyd, textOf('word there too'));
      const { parked } = await index.writer.apply(batchOf(history.events));
      expect(parked).toMatchObject([
        { stream: conversationStream(chat), n: poison?.position.n, revision: poison?.revision },
      ]);
      expect(await index.writer.parked()).toEqual(parked);
      const { hits, complete } = await ask(index, ann, 'word');
      expect(hits.map(({ conversationId }) => conversationId)).toEqual([other, other]);
      expect(complete).toBe(false);
      expect((await ask(index, cyd, 'word')).complete).toBe(true);
      expect(await ask(index, dan, 'word')).toMatchObject({ hits: [], complete: true });
    });

    test('D14: a conversation whose folding anew is cut short is parked, also if it was not', async () => {
      history.send(chat, bob, textOf('word one'));
      await applyAll(index, history);
      const before = await linesOf(index);
      const stream = conversationStream(chat);
      const ofChat = history.events.filter((event) => event.stream === stream);

      async function* cutShort() {
        yield batchOf(ofChat, 0, 1);
        await Promise.reject(new Error('the log is away'));
      }
      await expect(index.writer.refold(stream, cutShort())).rejects.toThrow('the log is away');
      expect(await index.writer.parked()).toMatchObject([{ stream }]);
      expect(await ask(index, ann, 'word')).toMatchObject({ hits: [], complete: false });

      async function* pages() {
        await Promise.resolve();
        yield batchOf(ofChat);
      }
      await index.writer.refold(stream, pages());
      expect(await index.writer.parked()).toEqual([]);
      expect(await linesOf(index)).toEqual(before);
    });

    test('D14: a parked conversation is folded anew from its events, and is then as if it had never been parked', async () => {
      history.start(other, ann, cyd);
      history.send(chat, bob, textOf('word one'));
      history.unknown(conversationStream(chat), true);
      history.send(other, cyd, textOf('word two'));
      history.send(chat, bob, textOf('word three'));
      await applyAll(index, history);
      const known = history.events.filter(({ event }) => event !== undefined);
      const ofChat = known.filter(({ stream }) => stream === conversationStream(chat));

      async function* cutShort() {
        yield batchOf(ofChat, 0, 1);
        await Promise.reject(new Error('the log is away'));
      }
      await expect(index.writer.refold(conversationStream(chat), cutShort())).rejects.toThrow('the log is away');
      expect(await index.writer.parked()).toHaveLength(1);
      expect((await ask(index, ann, 'word')).complete).toBe(false);

      async function* pages() {
        await Promise.resolve();
        yield batchOf(ofChat, 0, 2);
        yield batchOf(ofChat, 2);
      }
      await index.writer.refold(conversationStream(chat), pages());
      expect(await index.writer.parked()).toEqual([]);
      expect(await ask(index, bob, 'word')).toMatchObject({ hits: history.expected(bob, 'word'), complete: true });
    });
  });
};
