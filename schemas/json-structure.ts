export interface JsonStructure {
  readonly depth: number;
  /** Keys of objects, each as often as it stands there. */
  readonly keys: number;
  /** At least the number of values. */
  readonly values: number;
}

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

const endOfString = (bytes: Uint8Array, start: number): number => {
  for (let end = bytes.indexOf(quote, start + 1); end !== -1; end = bytes.indexOf(quote, end + 1)) {
    let backslashes = 0;
    while (bytes[end - 1 - backslashes] === backslash) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return bytes.length;
};

/** The shape of JSON without making anything of it, so that a hostile text is refused before it is a million objects. */
export const jsonStructure = (bytes: Uint8Array): JsonStructure => {
  let depth = 0;
  let deepest = 0;
  let keys = 0;
  let values = 1;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === quote) i = endOfString(bytes, i);
    else if (byte === comma) values++;
    else if (byte === colon) keys++;
    else if (byte === openBracket || byte === openBrace) deepest = Math.max(deepest, ++depth);
    else if (byte === closeBracket || byte === closeBrace) depth--;
  }
  return { depth: deepest, keys, values };
};

/** As `jsonStructure` counts them: fewer than there means that a key stood twice in one object. */
export const keysOf = (value: unknown): number => {
  if (typeof value !== 'object' || value === null) return 0;
  const inside = Object.values(value).reduce<number>((sum, part) => sum + keysOf(part), 0);
  return Array.isArray(value) ? inside : inside + Object.keys(value).length;
};
