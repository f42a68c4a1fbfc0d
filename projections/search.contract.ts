import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { longestQuery } from '../schemas/search-query.ts';
import { batchOf, searchHistory, someConversation, textOf, type SearchHistory } from '../tests/search-history.ts';
import { randomHistory, type RandomSearch } from '../tests/search-scenes.ts';
import {
  ann,
  applyAll,
  ask,
  askAll,
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
import { searchRowsContract } from './search-rows.contract.ts';
import {
  mostHits,
  type SearchFilters,
  type SearchFound,
  type SearchHit,
  type SearchRefusal,
  type SearchRequest,
} from './search.ts';

/** A message in each script, and queries that find it. */
const scripts: readonly (readonly [script: string, text: string, queries: readonly string[]])[] = [
  ['Japanese', '東京都庁へ行きたい', ['東京', '京', '都庁', 'へ', '行きたい', 'い', '東京都庁へ行きたい']],
  ['half-width Japanese', 'ｶﾞｲﾄﾞを見る', ['ガイド', 'ド', 'ｶﾞｲ']],
  ['Chinese', '我们明天在北京见面。', ['北京', '明天 北京', '面', '见面']],
  ['Korean', '내일 학교에서 만나요', ['학교', '학', '만나요', '학교'.normalize('NFD')]],
  ['Thai', 'พรุ่งนี้กินข้าวด้วยกัน', ['ข้าว', 'กิน', 'พ', 'ด้วยกัน']],
  ['Arabic', 'ذَهَبَ أحمد إلى الـمـدرسة', ['ذهب', 'احمد', 'المدرسة', 'المدرسه', 'الى']],
  ['accented Latin', 'Łódź, Ångström und Straße', ['lodz', 'ÅNGSTRÖM', 'strasse', 'angs', 'Å'.normalize('NFD')]],
  ['Cyrillic', 'Ёжик в тумане', ['ежик', 'ТУМАН', 'в']],
  ['Hindi', 'शान्ति और प्रेम', ['शान्ति', 'प्रेम', 'औ']],
  ['emoji', 'great 👍🏽👨‍👩‍👧', ['👍', '👍🏿', '👨‍👩‍👧', 'great 👍']],
  ['digits and letters', 'Flight LH-2044 at 07:30', ['lh-2044', '2044', '07:30', 'lh', '0']],
];

/** One string a hit: ten thousand deep comparisons would cost more than the searches. */
const plain = (hits: readonly SearchHit[]): string[] =>
  hits.map(({ conversationId, seq, by, time, content, highlights }) =>
    JSON.stringify([conversationId, seq, by, time, content, highlights]),
  );

/** `randomSearches`: of the property that takes longest, where each search goes over a network. */
export const searchContract = (
  name: string,
  prepare: () => Promise<SearchUnderTest>,
  randomSearches = 10_000,
): void => {
  describe(`search: ${name}`, () => {
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

    test('a hit is the whole message with its place, its newest content and what to mark', async () => {
      history.send(chat, bob, textOf('Naïve café: <b>CAFÉ</b>'));
      await applyAll(index, history);
      const { hits, ...rest } = await ask(index, ann, 'cafe');
      expect(hits).toStrictEqual(history.expected(ann, 'cafe'));
      expect(hits[0]).toMatchObject({ conversationId: chat, seq: 1, by: bob });
      expect(hits[0]?.highlights).toEqual([
        [6, 10],
        [15, 19],
      ]);
      expect(rest).toMatchObject({ nextCursor: null, complete: true });
    });

    test('before the first event there is nothing, and the answer says how far it saw', async () => {
      expect(await ask(index, ann, 'anything')).toMatchObject({ hits: [], complete: true, indexedThrough: null });
      history.send(chat, bob, textOf('anything'));
      await applyAll(index, history);
      const { indexedThrough, hits } = await ask(index, ann, 'anything');
      expect(indexedThrough).toEqual(batchOf(history.events).through);
      expect((await index.writer.position())?.applied).toEqual(indexedThrough);
      expect(hits).toHaveLength(1);
    });

    test('C8: each script is found by its words and by one or two characters', async () => {
      for (const [, text] of scripts) history.send(chat, bob, textOf(text));
      await applyAll(index, history);
      for (const [at, [script, , queries]] of scripts.entries()) {
        for (const query of queries) {
          const { hits } = await ask(index, ann, query);
          expect({ script, query, hits }).toEqual({ script, query, hits: history.expected(ann, query) });
          expect(hits.map(({ seq }) => seq)).toContain(at + 1);
        }
      }
    });

    test('S18: what a person types is text and never syntax', async () => {
      const syntax = [
        ...['"', '*', 'OR', 'NEAR(', 'NEAR(a b, 2)', 'col:', 'words:secret', 'chat:c1', '^plain', '-plain', 'pl*n'],
        ...['{words} : plain', "'; DROP TABLE messages; --", 'plain" OR "secret', '\\"', '%', '_', '../..', '(((', '"'],
        ...[
          'plain AND NOT x',
          '\u0000',
          'plain\u0000x',
          '${x}',
          'a + b',
          '/.*/',
          '{"match_all":{}}',
          '?pla',
          'plain~2',
        ],
      ];
      for (const text of [...syntax, 'plain', 'secret']) history.send(chat, bob, textOf(text));
      await applyAll(index, history);
      const before = await linesOf(index);
      for (const text of [...syntax, 'plain OR secret', 'AND', 'NOT']) {
        const answer = await index.search.search({ user: ann, text, filters: {}, cursor: null, limit: mostHits });
        if (answer.outcome === 'refused') expect([text, answer.why]).toEqual([text, 'no_words']);
        else expect([text, answer.hits]).toEqual([text, history.expected(ann, text)]);
      }
      expect(await linesOf(index)).toEqual(before);
    });

    test('a query without a word, one that is too long and a cursor of somebody else are refused, each by its name', async () => {
      const request = { user: ann, text: 'a', filters: {}, cursor: null, limit: 10 };
      const refused = async (asked: Partial<SearchRequest>, why: SearchRefusal): Promise<void> => {
        expect([asked, await index.search.search({ ...request, ...asked })]).toEqual([
          asked,
          { outcome: 'refused', why },
        ]);
      };
      for (const text of ['', ' ', '\u3000\n', '"*"', '-', '...', '\ud800', '\u0301'])
        await refused({ text }, 'no_words');
      for (const text of ['a'.repeat(longestQuery + 1), 'a '.repeat(50_000)]) await refused({ text }, 'too_long');
      const cursors = ['', 'x', '1.', '1.!', '2.a', '1.' + 'z'.repeat(12), '1.-5', '0', 'null', "1.0'--"];
      for (const cursor of cursors) await refused({ cursor }, 'bad_cursor');
    });

    test('the longest queries are answered: many words, one word, one run, nothing but single characters', async () => {
      const words = Array.from({ length: 300 }, (_, n) => n.toString(36))
        .join(' ')
        .slice(0, longestQuery);
      const run = '漢字仮名交文'.repeat(200).slice(0, longestQuery);
      const singles = Array.from({ length: 500 }, (_, n) => String.fromCodePoint(0x4e00 + n)).join(' ');
      for (const text of [words, 'w'.repeat(longestQuery), run, singles]) history.send(chat, bob, textOf(text));
      await applyAll(index, history);
      for (const [at, text] of [words, 'w'.repeat(longestQuery), run, singles.slice(0, longestQuery)].entries()) {
        expect(seqs(await ask(index, ann, text))).toContain(at + 1);
      }
    });

    test('a limit is taken as the nearest bound', async () => {
      for (let n = 0; n < mostHits + 5; n++) history.send(chat, bob, textOf('again'));
      await applyAll(index, history);
      for (const limit of [0, -1, -1e9]) expect((await ask(index, ann, 'again', { limit })).hits).toHaveLength(1);
      expect((await ask(index, ann, 'again', { limit: 1e9 })).hits).toHaveLength(mostHits);
    });

    test('C9: filters, alone and together', async () => {
      history.start(other, ann, cyd);
      history.send(chat, bob, textOf('blue one'));
      history.send(other, cyd, textOf('blue two'));
      history.send(chat, ann, { type: 'location', latitude: 1, longitude: 2, label: 'Blue Lagoon' });
      history.send(chat, bob, { type: 'location', latitude: 1, longitude: 2 });
      history.send(other, ann, textOf('blue five'));
      await applyAll(index, history);
      const times = history.expected(ann, 'blue').map(({ time }) => time);
      const cases: SearchFilters[] = [
        ...[{}, { conversationId: chat }, { conversationId: someConversation(9) }, { sender: cyd }, { sender: dan }],
        ...[{ type: 'text' as const }, { type: 'location' as const }, { conversationId: other, sender: ann }],
        ...times.flatMap((time) => [{ before: time }, { after: time }, { before: time + 1, after: time }]),
        ...[{ before: 0 }, { after: Number.MAX_SAFE_INTEGER }],
      ];
      for (const filters of cases) {
        const { hits, complete } = await ask(index, ann, 'blue', filters);
        expect([filters, hits, complete]).toEqual([filters, history.expected(ann, 'blue', filters), true]);
      }
    });

    test('C9: text that was edited away or deleted is gone, and the edited text is found where the message stood', async () => {
      const first = history.send(chat, bob, textOf('draft alpha'));
      const second = history.send(chat, bob, textOf('draft beta'));
      history.edit(chat, bob, first, textOf('final gamma'));
      history.remove(chat, bob, second);
      history.send(chat, bob, textOf('final delta'));
      await applyAll(index, history);
      for (const word of ['draft', 'alpha', 'beta']) expect((await ask(index, ann, word)).hits).toEqual([]);
      expect(seqs(await ask(index, ann, 'final'))).toEqual([3, first]);
    });

    test('I6: a member finds what lies in the present membership, and nobody else finds anything', async () => {
      history.send(chat, bob, textOf('word early'));
      history.addMember(chat, ann, cyd);
      history.send(chat, bob, textOf('word middle'));
      await applyAll(index, history);
      expect(seqs(await ask(index, cyd, 'word'))).toEqual([2]);
      expect(seqs(await ask(index, dan, 'word'))).toEqual([]);
      history.removeMember(chat, ann, cyd);
      await applyAll(index, history);
      expect(await ask(index, cyd, 'word', { conversationId: chat })).toEqual(
        await ask(index, cyd, 'word', { conversationId: someConversation(8) }),
      );
      history.send(chat, bob, textOf('word between'));
      history.addMember(chat, ann, cyd);
      history.send(chat, bob, textOf('word late'));
      history.edit(chat, bob, 2, textOf('word middle, edited'));
      history.leave(chat, bob);
      await applyAll(index, history);
      expect(seqs(await ask(index, cyd, 'word'))).toEqual([4]);
      expect(seqs(await ask(index, ann, 'word'))).toEqual([4, 3, 2, 1]);
      expect(seqs(await ask(index, bob, 'word'))).toEqual([]);
    });

    test('the messages of a blocked person are not found until the block ends', async () => {
      history.send(chat, bob, textOf('hello'));
      history.block(ann, bob);
      await applyAll(index, history);
      expect((await ask(index, ann, 'hello')).hits).toEqual([]);
      expect((await ask(index, bob, 'hello')).hits).toHaveLength(1);
      history.unblock(ann, bob);
      await applyAll(index, history);
      expect((await ask(index, ann, 'hello')).hits).toHaveLength(1);
    });

    test('F36: pages follow one another without gap or double while messages arrive, change and go', async () => {
      for (let n = 0; n < 50; n++) history.send(chat, bob, textOf(`page ${n}`));
      await applyAll(index, history);
      const found: number[] = [];
      let cursor: string | null = null;
      for (let page = 0; page < 20; page++) {
        const answer: SearchFound = await ask(index, ann, 'page', { limit: 3, cursor });
        found.push(...seqs(answer));
        cursor = answer.nextCursor;
        if (cursor === null) break;
        history.send(chat, bob, textOf('page new'));
        history.edit(chat, bob, 50 - page, textOf('page edited'));
        await applyAll(index, history);
      }
      expect(found).toEqual(Array.from({ length: 50 }, (_, n) => 50 - n));
    });

    test('a search that was stopped says so, and its cursor goes on to the end', async () => {
      await closeIndex(index);
      index = await place.open(0);
      history = searchHistory(20_000);
      history.start(chat, ann, bob);
      history.start(other, bob, cyd);
      // Most hold both words, the other way round: that they are no hits is seen one by one.
      for (let n = 0; n < 40; n++) {
        history.send(n % 5 === 0 ? other : chat, bob, textOf(n % 8 === 1 ? 'foo bar' : 'bar foo'));
      }
      await applyAll(index, history);
      const first = await ask(index, ann, 'foo-bar', { limit: 2 });
      expect(first.complete).toBe(false);
      expect(first.nextCursor).not.toBeNull();
      const found = await askAll(index, ann, 'foo-bar', { limit: 2 });
      expect(found).toEqual(history.expected(ann, 'foo-bar'));
      expect(found).not.toHaveLength(0);
    });

    test(
      `S6: ${randomSearches} random searches find exactly what an oracle finds, page by page, and nothing of anybody else`,
      { timeout: 300_000 },
      async () => {
        let searches = 0;
        for (let round = 0; searches < randomSearches; round++) {
          const seed = round * 7_919 + 1;
          const random = randomHistory(seed, 400);
          const fresh = await place.fresh();
          const opened = await fresh.open(longBudget);
          try {
            await applyAll(opened, random.history);
            const check = async (asked: RandomSearch): Promise<void> => {
              const { user, text, filters, limit } = asked;
              const hits = await askAll(opened, user, text, { ...filters, limit });
              const expected = random.history.expected(user, text, filters);
              expect({ seed, asked, hits: plain(hits) }).toEqual({ seed, asked, hits: plain(expected) });
              searches += 1 + Math.floor(hits.length / limit);
            };
            const queries = random.queries(500);
            for (let from = 0; from < queries.length; from += 10) {
              await Promise.all(queries.slice(from, from + 10).map(check));
            }
          } finally {
            await closeIndex(opened);
            await fresh.remove();
          }
        }
      },
    );
  });
  searchRowsContract(name, prepare);
};
