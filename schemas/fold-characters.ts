/**
 * What a character is to a search.
 * - `run`: of a script written without spaces between words.
 * - `word`: any other letter, digit or mark.
 * - `ignorable`: has no width and changes no word: soft hyphen, joiners, direction marks, a mark that stands alone.
 */
export type CharacterClass = 'word' | 'run' | 'emoji' | 'ignorable' | 'break';

const classes = ['word', 'run', 'emoji', 'ignorable', 'break'] as const satisfies readonly CharacterClass[];
/** 1 + the index in `classes`; 0: not asked yet. Asking the tables of Unicode for each character is 20 times slower. */
const known = new Uint8Array(0x110000);

export const classOf = (codePoint: number): CharacterClass => {
  const index = known[codePoint] ?? 0;
  if (index > 0) return classes[index - 1] ?? 'break';
  const found = lookUp(String.fromCodePoint(codePoint));
  known[codePoint] = 1 + classes.indexOf(found);
  return found;
};

const wordCharacter = /^[\p{L}\p{N}\p{M}]$/u;
const unspacedScript =
  /^[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Hangul}\p{scx=Bopomofo}\p{scx=Yi}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Myanmar}]$/u;
/** With an accent (↮) or without (↔). */
const emoji = /^[\p{Extended_Pictographic}\p{Regional_Indicator}]\p{M}*$/u;
/** Marks without a letter's worth of meaning: accents, vowel points, signs of recitation. */
const accent =
  /^(?=[\p{Mn}\p{Me}])[\p{Script=Inherited}\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Cyrillic}]$/u;
const kanaVoicing = /^[\u3099\u309a]$/u;
const tatweel = '\u0640';
const zeroWidth = /^(?:\p{Default_Ignorable_Code_Point}|\p{Cf})$/u;

const lookUp = (character: string): CharacterClass => {
  if (emoji.test(character.normalize('NFD'))) return 'emoji';
  if (character === tatweel || zeroWidth.test(character)) return 'ignorable';
  if (kanaVoicing.test(character)) return 'run';
  if (accent.test(character)) return 'ignorable';
  if (!wordCharacter.test(character)) return 'break';
  return unspacedScript.test(character) ? 'run' : 'word';
};

const mark = /^\p{M}$/u;
const extenders = new Uint8Array(0x110000);

/** Whether it belongs to the character before it. Hangul vowels and finals compose with what they follow. */
export const isExtender = (codePoint: number): boolean => {
  const found = extenders[codePoint] ?? 0;
  if (found > 0) return found === 2;
  const extends_ =
    (codePoint >= 0x1160 && codePoint <= 0x11ff) ||
    codePoint === 0xff9e ||
    codePoint === 0xff9f ||
    mark.test(String.fromCodePoint(codePoint)) ||
    classOf(codePoint) === 'ignorable';
  extenders[codePoint] = extends_ ? 2 : 1;
  return extends_;
};

export const isRegional = (codePoint: number): boolean => codePoint >= 0x1f1e6 && codePoint <= 0x1f1ff;
/** Skin tones. */
export const isModifier = (codePoint: number): boolean => codePoint >= 0x1f3fb && codePoint <= 0x1f3ff;

/** Letters that people write for one another and that Unicode does not decompose. */
const folded: ReadonlyMap<string, string> = new Map(
  Object.entries({
    ...{ ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', đ: 'd', ð: 'd', þ: 'th', ł: 'l', ħ: 'h', ŧ: 't', ı: 'i', ς: 'σ' },
    // Arabic: alef wasla; alef maksura and the Persian yeh; the Persian kaf; teh marbuta; the digits of both.
    ...{ ٱ: 'ا', ى: 'ي', ی: 'ي', ک: 'ك', ة: 'ه' },
    ...Object.fromEntries(Array.from('٠١٢٣٤٥٦٧٨٩', (digit, value) => [digit, String(value)])),
    ...Object.fromEntries(Array.from('۰۱۲۳۴۵۶۷۸۹', (digit, value) => [digit, String(value)])),
  }),
);

/** The breve of й and ў makes another letter; every other mark on a Cyrillic letter is an accent. */
const breve = '\u0306';
const takesBreve = /^[иу]$/u;

const foldedClusters = new Map<string, string>();
const mostFoldedClusters = 10_000;

/** A character with its marks in the one form that is searched: compatible, lower case, without accents. */
export const foldCluster = (cluster: string): string => {
  const before = foldedClusters.get(cluster);
  if (before !== undefined) return before;
  const after = fold(cluster);
  if (foldedClusters.size >= mostFoldedClusters) foldedClusters.clear();
  foldedClusters.set(cluster, after);
  return after;
};

const fold = (cluster: string): string => {
  let bare = '';
  let base = '';
  for (const character of cluster.normalize('NFKD').toLowerCase()) {
    if (character === breve && takesBreve.test(base)) bare += character;
    else if (classOf(character.codePointAt(0) ?? 0) !== 'ignorable') {
      base = folded.get(character) ?? character;
      bare += base;
    }
  }
  return bare.normalize('NFC');
};
