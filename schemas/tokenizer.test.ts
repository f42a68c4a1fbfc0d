import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findInText, longestQuery, mostHighlights, parseQuery } from './search-query.ts';
import { longestTerm, mostTerms, tokenize } from './tokenizer.ts';

const termsOf = (text: string): string =>
  tokenize(text)
    .map(({ term }) => term)
    .join(' ');

/** The parts of the text that a query marks; undefined: it is not found. */
const marked = (typed: string, text: string): string[] | undefined => {
  const query = parseQuery(typed);
  if (typeof query === 'string') throw new Error(query);
  return findInText(query, text)?.map(([start, end]) => text.slice(start, end));
};

describe('C8: the terms of a text', () => {
  test.each([
    ['Hello, WÖRLD! don’t', 'hello world don t'],
    ['Straße ŒUVRE Søren Łódź ﬁne x² ①', 'strasse oeuvre soren lodz fine x2 1'],
    ['İstanbul ISTANBUL ırmak', 'istanbul istanbul irmak'],
    ['ΣΊΣΥΦΟΣ Ёлка Йод йод', 'σισυφοσ елка йод йод'],
    ['東京都は', '東京 京都 都は は'],
    ['猫', '猫'],
    ['ｶﾞｷﾞ ガギ', 'ガギ ギ ガギ ギ'],
    ['안녕하세요', '안녕 녕하 하세 세요 요'],
    ['ข่าว', 'ข่ ่า าว ว'],
    ['ລາວ ខ្មែរ', 'ລາ າວ ວ ខ្ ្ម មែ ែរ រ'],
    ['العَرَبِيَّةُ أحمد إلى ٱلله مــرحبا ٣٤', 'العربيه احمد الي الله مرحبا 34'],
    ['می‌خواهم', 'ميخواهم'],
    ['शान्ति', 'शान्ति'],
    ['👍🏽 👨‍👩‍👧 🇩🇪🇫🇷 ❤️ 1️⃣ Parley™', '👍 👨👩👧 🇩🇪 🇫🇷 ❤ 1 parley ™'],
    ['iPhone買う', 'iphone 買う う'],
    ['snake_case a-b c.d', 'snake case a b c d'],
    ['so\u00adft zero\u200bwidth', 'soft zerowidth'],
    ['\ud800a\udc00 \u0301b', 'a b'],
    [' .,!?-_()"*', ''],
  ])('%s', (text, terms) => expect(termsOf(text)).toBe(terms));

  test('name the part of the text they came from', () => {
    const text = 'Zoe\u0308 trank  ｶﾞｽ 👍🏽!';
    const parts = tokenize(text).map(({ start, end }) => text.slice(start, end));
    expect(parts).toEqual(['Zoe\u0308', 'trank', 'ｶﾞｽ', 'ｽ', '👍🏽']);
  });

  test('are bounded in length and number', () => {
    expect(termsOf('a'.repeat(100_000))).toBe('a'.repeat(longestTerm));
    expect(termsOf('𐐨'.repeat(100) + 'x')).toBe('𐐨'.repeat(longestTerm / 2));
    expect(termsOf('b' + '𐐨'.repeat(100))).toHaveLength(longestTerm - 1);
    expect(tokenize('a '.repeat(mostTerms + 10))).toHaveLength(mostTerms);
    expect(tokenize('ﷺ'.repeat(mostTerms))).toHaveLength(mostTerms);
  });

  test.each([
    ['a million marks', 'e' + '\u0316\u0301'.repeat(500_000), 1],
    ['a million characters without width', '\u200b'.repeat(1_000_000), 0],
    ['a million lone surrogates', '\ud800'.repeat(1_000_000), 0],
    ['a hundred thousand joined emoji', '👨\u200d'.repeat(100_000), 1],
    ['a hundred thousand ideographs', '漢字'.repeat(50_000), 100_000],
  ])('S6: %s are no more work than any text of that length', (_, text, count) =>
    expect(tokenize(text)).toHaveLength(count),
  );
});

/** Characters of many scripts, and those that change how others are read. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc.string({
    unit: fc.constantFrom(
      ...['a', 'É', 'e\u0301', 'ß', 'İ', '東', '京', 'は', 'ｶ', 'ﾞ', '한', '\u1112', '\u1161', '\u11ab', 'ก', 'ี', '่'],
      ...['ا', 'أ', 'َ', 'ـ', 'ی', 'и', '\u0306', 'क', '्', '👍', '🏽', '\u200d', '\ufe0f', '🇩', '☃', '\ud83d', '\u200b'],
      ...[' ', '\u3000', '。', '-', '"', '*', '1', '٣', '½', '㍻', 'ﷺ', '=', '\u0338', '\u0345', '\u0300'],
    ),
    maxLength: 60,
  }),
  fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)), maxLength: 60 }),
);

describe('of any string', () => {
  test('terms stand in the text, in order, and hold nothing an index could split at', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        let before = 0;
        for (const { term, start, end } of tokenize(text)) {
          expect(start).toBeGreaterThanOrEqual(before);
          expect(end).toBeGreaterThan(start);
          expect(end).toBeLessThanOrEqual(text.length);
          expect(term).toMatch(/^[^\u0000-\u002f\u003a-\u0060\u007b-\u007f\s\p{Co}]+$/u);
          expect(term.length).toBeLessThanOrEqual(longestTerm);
          before = start;
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('canonically equivalent texts have the same terms', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(termsOf(text.normalize('NFC'))).toBe(termsOf(text.normalize('NFD')));
      }),
      { numRuns: 2_000 },
    );
  });

  test('each of its words finds it, in either case, and marks a part of it', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        for (const word of text.split(/\s+/u)) {
          const query = parseQuery(word);
          if (typeof query === 'string') continue;
          const ranges = findInText(query, text);
          expect(ranges?.length).toBeGreaterThan(0);
          let before = 0;
          for (const [start, end] of ranges ?? []) {
            expect(start).toBeGreaterThanOrEqual(before);
            expect(end).toBeGreaterThan(start);
            before = end;
          }
          expect(before).toBeLessThanOrEqual(text.length);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

test('a mark that stands alone changes nothing, at the beginning or behind a space, a joiner or a run', () => {
  for (const text of ['\u094da', ' \u094da', ' \u0640\u094da', '\u0640\u094da']) expect(termsOf(text)).toBe('a');
  expect(termsOf('東\u094da')).toBe('東 a');
});

describe('C8: a query', () => {
  test.each([
    ['WORLD', 'hello wörld', ['wörld']],
    ['wor', 'hello world', ['world']],
    ['hel world', 'hello world', undefined],
    ['world hel', 'hello world', ['hello', 'world']],
    ['東京', '大きい東京都', ['東京']],
    ['京', '大きい東京都', ['京']],
    ['東京都', '東京都 京都', ['東京都']],
    ['東都', '東京都', undefined],
    ['東京、大阪', '大阪と東京', ['大阪', '東京']],
    ['都 猫', '京都の猫', ['都', '猫']],
    ['東京a', '大東京Ab', ['東京Ab']],
    ['กิน', 'ไปกินข้าว', ['กิน']],
    ['한', '대한민국', ['한']],
    ['احمد', 'جاء أَحْمَد', ['أَحْمَد']],
    ['foo-bar', 'a foo bar', ['foo bar']],
    ['foo-bar', 'bar foo', undefined],
    ['👨', 'the 👨‍👩‍👧', undefined],
    ['👍', 'ok 👍🏽!', ['👍🏽']],
    ['a*', 'ab', ['ab']],
    ['x" OR y', 'x or y', ['x', 'or', 'y']],
    ['成', '㍻', ['㍻']],
  ])('%s in %s', (typed, text, parts) => expect(marked(typed, text)).toEqual(parts));

  test('without a word, or of too many characters, is none', () => {
    for (const typed of ['', '   ', '\u3000', '"*"', '...', '\ud800', '\u0301', '(-)'])
      expect(parseQuery(typed)).toBe('no_words');
    expect(parseQuery('😀'.repeat(longestQuery + 1))).toBe('too_long');
    expect(parseQuery('😀'.repeat(longestQuery))).toHaveLength(1);
  });

  test('marks no more than a bounded number of parts', () => {
    expect(marked('a', 'a '.repeat(10_000))).toHaveLength(mostHighlights);
    expect(marked('aa', 'a'.repeat(100_000))).toEqual(['a'.repeat(100_000)]);
  });
});
