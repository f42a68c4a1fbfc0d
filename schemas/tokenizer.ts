import { classOf, foldCluster, isExtender, isModifier, isRegional, type CharacterClass } from './fold-characters.ts';

/**
 * A unit that can be searched, and where it stands: `[start, end)` in UTF-16 code units of the text as it was written.
 * - `word`: letters and digits, folded.
 * - `pair`: two neighbours of a run in a script that is written without spaces; `last`: the last one of such a run by
 *   itself. So each character of a run begins a term, and a query of one character is a prefix.
 * - `emoji`: one, however many code points it is made of; without skin tone.
 */
export interface Term {
  readonly kind: 'word' | 'pair' | 'last' | 'emoji';
  readonly term: string;
  readonly start: number;
  readonly end: number;
}

/** Of a longer word only the beginning counts, in code units. */
export const longestTerm = 64;
/** What stands behind them in a text is not found. */
export const mostTerms = 100_000;

/**
 * The terms of a text, in order: for the index, for queries and for highlights, in servers and in clients. Terms hold
 * no ASCII but a–z and 0–9, no space and nothing for private use, so an index may join them and add its own.
 *
 * Any string is good, also one that is not well formed. The time is linear in its length. Texts that Unicode calls
 * canonically equivalent have the same terms (as long as no character carries more than 30 marks).
 */
export const tokenize = (text: string): readonly Term[] => {
  const terms: Term[] = [];
  const open = openTerm(terms);
  let at = 0;
  while (at < text.length && terms.length < mostTerms) {
    const ascii = endOfAscii(text, at);
    if (ascii > at) {
      if (isAsciiWord(text.charCodeAt(at))) open.word(text.slice(at, ascii).toLowerCase(), at, ascii);
      else open.close();
      at = ascii;
      continue;
    }
    const codePoint = text.codePointAt(at) ?? 0;
    const kind = classOf(codePoint);
    if (kind === 'emoji') {
      const end = endOfEmoji(text, at, codePoint);
      open.close();
      terms.push({ kind: 'emoji', term: emojiTerm(text.slice(at, end)), start: at, end });
      at = end;
      continue;
    }
    const end = endOfCluster(text, at + widthOf(codePoint));
    if (kind !== 'ignorable') addCluster(open, text, at, end);
    at = end;
  }
  open.close();
  return terms.length > mostTerms ? terms.slice(0, mostTerms) : terms;
};

/** The first combining mark: what stands before a lower code does not change by it. */
const firstMark = 0x300;
/** More marks on one character are decoration; folding them would take quadratic time (UAX 15, Stream-Safe). */
const longestCluster = 32;

const widthOf = (codePoint: number): number => (codePoint > 0xffff ? 2 : 1);
const isAsciiWord = (code: number): boolean =>
  (code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a);

/** Behind the ASCII word that begins here, or behind the one character that is none; `at` itself: not plain ASCII. */
const endOfAscii = (text: string, at: number): number => {
  let end = at;
  while (end < text.length && isAsciiWord(text.charCodeAt(end))) end++;
  if (end === at && text.charCodeAt(at) < 0x80) end++;
  return end > at && text.charCodeAt(end) >= firstMark ? end - 1 : end;
};

const cut = (word: string): string => {
  if (word.length <= longestTerm) return word;
  const splits = (word.charCodeAt(longestTerm - 1) & 0xfc00) === 0xd800;
  return word.slice(0, splits ? longestTerm - 1 : longestTerm);
};

/** The term that is being put together: a word or a run, never both. */
const openTerm = (terms: Term[]) => {
  let word = '';
  let wordStart = 0;
  let wordEnd = 0;
  let last: { readonly character: string; readonly start: number; readonly end: number } | undefined;
  let inRun = false;

  const close = (): void => {
    if (word !== '') terms.push({ kind: 'word', term: cut(word), start: wordStart, end: wordEnd });
    if (last !== undefined) terms.push({ kind: 'last', term: last.character, start: last.start, end: last.end });
    word = '';
    last = undefined;
    inRun = false;
  };
  return {
    close,
    word(characters: string, start: number, end: number): void {
      if (inRun) close();
      // A mark that stands alone is nothing to search for, whatever it is written behind.
      if (word === '' && isExtender(characters.codePointAt(0) ?? 0)) return;
      if (word === '') wordStart = start;
      wordEnd = end;
      if (word.length <= longestTerm) word += characters;
    },
    run(character: string, start: number, end: number): void {
      if (word !== '') close();
      inRun = true;
      if (last !== undefined) terms.push({ kind: 'pair', term: last.character + character, start: last.start, end });
      last = { character, start, end };
    },
  };
};

/** Behind a character and all that belongs to it: marks, vowels of a Hangul syllable, and what has no width. */
const endOfCluster = (text: string, from: number): number => {
  let end = from;
  while (end < text.length) {
    const codePoint = text.codePointAt(end) ?? 0;
    if (!isExtender(codePoint)) break;
    end += widthOf(codePoint);
  }
  return end;
};

const addCluster = (open: ReturnType<typeof openTerm>, text: string, start: number, end: number): void => {
  const cut = Math.min(end, start + longestCluster);
  for (const character of foldCluster(text.slice(start, cut))) {
    const kind: CharacterClass = classOf(character.codePointAt(0) ?? 0);
    if (kind === 'word') open.word(character, start, end);
    else if (kind === 'run') open.run(character, start, end);
    else open.close();
  }
};

const zeroWidthJoiner = 0x200d;
/** Of a longer sequence only the beginning counts, in code units. */
const longestEmoji = 4 * longestTerm;

const endOfEmoji = (text: string, start: number, first: number): number => {
  let end = start + widthOf(first);
  if (isRegional(first)) {
    const second = text.codePointAt(end) ?? 0;
    return isRegional(second) ? end + 2 : end;
  }
  while (end < text.length) {
    const codePoint = text.codePointAt(end) ?? 0;
    const joined = codePoint === zeroWidthJoiner ? (text.codePointAt(end + 1) ?? 0) : 0;
    if (joined !== 0 && classOf(joined) === 'emoji') end += 1 + widthOf(joined);
    else if (isModifier(codePoint) || isExtender(codePoint)) end += widthOf(codePoint);
    else break;
  }
  return end;
};

const emojiTerm = (sequence: string): string => {
  let term = '';
  for (const character of sequence.slice(0, longestEmoji).normalize('NFD')) {
    const isPart = classOf(character.codePointAt(0) ?? 0) === 'emoji';
    if (isPart && term.length + character.length <= longestTerm) term += character;
  }
  return term;
};
