import { codePoints } from './code-points.ts';
import { tokenize, type Term } from './tokenizer.ts';

/** More code points than this are refused: nobody types them, and each word costs a look-up. */
export const longestQuery = 1_000;

/** Highlights of one message: enough to show, and a bound for a text that is one word a thousand times. */
export const mostHighlights = 100;

/** Terms that stand one right behind the other; `prefix`: the last one may be the beginning of a longer term. */
export interface Phrase {
  readonly terms: readonly [string, ...string[]];
  readonly prefix: boolean;
}

/** What a person typed: all of its phrases must be found, anywhere and in any order. */
export type SearchQuery = readonly [Phrase, ...Phrase[]];

/** `[start, end)` in UTF-16 code units. */
export type TextRange = readonly [start: number, end: number];

const separators = /[\s\u3001\u3002\uff01\uff0c\uff0e\uff1a\uff1b\uff1f\uff61\uff64\uff65\u30fb\u3008-\u3011]+/u;

/** A word, as people separate them, becomes a phrase: `foo-bar` is foo, then bar; 東京都 is 東京, then 京都. */
export const parseQuery = (text: string): SearchQuery | 'no_words' | 'too_long' => {
  if (codePoints(text) > longestQuery) return 'too_long';
  const words = text
    .split(separators)
    .map(tokenize)
    .filter((terms) => terms.length > 0);
  const phrases = new Map<string, Phrase>();
  for (const [index, terms] of words.entries()) {
    const phrase = phraseOf(terms, index === words.length - 1);
    if (phrase !== undefined) phrases.set(`${phrase.terms.join(' ')} ${phrase.prefix}`, phrase);
  }
  const [first, ...rest] = phrases.values();
  return first === undefined ? 'no_words' : [first, ...rest];
};

const phraseOf = (terms: readonly Term[], isLastWord: boolean): Phrase | undefined => {
  const end = terms.at(-1);
  // The `last` of a run is covered by the pair before it, and in a text it may be followed by more of the run.
  const covered = end?.kind === 'last' && terms.at(-2)?.kind === 'pair';
  const [first, ...rest] = (covered ? terms.slice(0, -1) : terms).map(({ term }) => term);
  if (first === undefined || end === undefined) return undefined;
  const prefix = !covered && (end.kind === 'last' || (end.kind === 'word' && isLastWord));
  return { terms: [first, ...rest], prefix };
};

/** Where the query stands in the text, in order and without overlap; undefined: not all of it is there. */
export const findInText = (query: SearchQuery, text: string): readonly TextRange[] | undefined => {
  const terms = tokenize(text);
  const byFirstTerm = Map.groupBy(
    query.filter(({ terms: { length }, prefix }) => length > 1 || !prefix),
    (phrase) => phrase.terms[0],
  );
  const byFirstCharacter = Map.groupBy(
    query.filter(({ terms: { length }, prefix }) => length === 1 && prefix),
    (phrase) => firstCharacter(phrase.terms[0]),
  );
  const found = new Set<Phrase>();
  const ranges: TextRange[] = [];
  for (const [at, { term }] of terms.entries()) {
    for (const phrase of byFirstTerm.get(term) ?? []) {
      if (standsAt(phrase, terms, at)) note(phrase, at);
    }
    for (const phrase of byFirstCharacter.get(firstCharacter(term)) ?? []) {
      if (term.startsWith(phrase.terms[0])) note(phrase, at);
    }
  }
  function note(phrase: Phrase, at: number): void {
    found.add(phrase);
    ranges.push([terms[at]?.start ?? 0, endOfMatch(phrase, terms, at + phrase.terms.length - 1)]);
  }
  return found.size === query.length ? merged(ranges) : undefined;
};

const firstCharacter = (term: string): string => String.fromCodePoint(term.codePointAt(0) ?? 0);

const standsAt = (phrase: Phrase, terms: readonly Term[], at: number): boolean => {
  const last = phrase.terms.length - 1;
  for (let offset = 1; offset <= last; offset++) {
    const [wanted, term] = [phrase.terms[offset], terms[at + offset]?.term];
    if (wanted === undefined || term === undefined) return false;
    if (term !== wanted && !(phrase.prefix && offset === last && term.startsWith(wanted))) return false;
  }
  return true;
};

/** One character of a run was asked for and a pair begins with it: then the next term begins where it ends. */
const endOfMatch = (phrase: Phrase, terms: readonly Term[], last: number): number => {
  const term = terms[last];
  const next = terms[last + 1];
  const isPart = term?.kind === 'pair' && term.term !== phrase.terms.at(-1);
  return isPart && next !== undefined && next.start > term.start ? next.start : (term?.end ?? 0);
};

const merged = (ranges: readonly TextRange[]): readonly TextRange[] => {
  const inOrder = ranges.toSorted(([a, endOfA], [b, endOfB]) => a - b || endOfA - endOfB);
  const apart: [number, number][] = [];
  for (const [start, end] of inOrder) {
    const before = apart.at(-1);
    if (before !== undefined && start < before[1]) before[1] = Math.max(before[1], end);
    else if (apart.length < mostHighlights) apart.push([start, end]);
    else break;
  }
  return apart;
};
