import type { Random } from '../seed.ts';

/** What JSON parsers, schemas and text handling have stumbled over elsewhere. */
const spiteful: readonly unknown[] = [
  null,
  true,
  '',
  -1,
  0.5,
  1e308,
  2 ** 53 + 2,
  [],
  {},
  [[[[[[]]]]]],
  '\u0000',
  '\ud800',
  '\u202egnp.exe',
  'e\u0301'.repeat(500),
  '__proto__',
  { constructor: { prototype: {} } },
  'x'.repeat(5_000),
  '../../etc/passwd',
  "'; DROP TABLE event; --",
  'NaN',
];

const spitefulNames = ['', '\u0000', '\ud800', '__proto__', 'constructor', 'toString', '0', 'x'.repeat(500)] as const;

const spitefulTexts: readonly string[] = [
  '{"__proto__":{"admin":true},"type":"ping"}',
  '{"type":"ping","type":"resume"}',
  '{"type":1e400}',
  '['.repeat(10_000),
  `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`,
  '\ufeff{"type":"ping"}',
  '{"type":"send","messageId":9007199254740993}',
  'null',
  '"ping"',
  '',
];

/** A body with one part of it replaced, removed, doubled or renamed; or something that is no body at all. */
export const mutateBody = (body: object, random: Random): string => {
  if (random.next() < 0.1) return random.oneOf(spitefulTexts);
  const mutated = JSON.stringify(mutateIn(body, random));
  return random.next() < 0.3 ? mutateText(mutated, random) : mutated;
};

const mutateIn = (body: object, random: Random): object => {
  const entries: [string, unknown][] = Object.entries(body);
  if (entries.length === 0) return { [random.oneOf(spitefulNames)]: random.oneOf(spiteful) };
  const at = random.between(0, entries.length - 1);
  const [name, value] = entries[at] ?? ['', null];
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && random.next() < 0.6) {
    return { ...body, [name]: mutateIn(value, random) };
  }
  switch (random.between(0, 3)) {
    case 0:
      return { ...body, [name]: random.oneOf(spiteful) };
    case 1:
      return Object.fromEntries(entries.filter((_, index) => index !== at));
    case 2:
      return { ...body, [`${name}${random.oneOf(spitefulNames)}`]: value };
    default:
      return { ...body, [name]: typeof value === 'string' ? mutateText(value, random) : [value, value] };
  }
};

const mutateText = (text: string, random: Random): string => {
  const at = random.between(0, text.length);
  switch (random.between(0, 3)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return text.slice(0, at) + String.fromCharCode(random.between(0, 0xffff)) + text.slice(at + 1);
    case 2:
      return text.slice(0, at) + text.slice(at, at + 20).repeat(3) + text.slice(at);
    default:
      return text.slice(at) + text.slice(0, at);
  }
};
