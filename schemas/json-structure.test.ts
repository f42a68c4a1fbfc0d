import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonStructure, keysOf } from './json-structure.ts';

const depthOf = (value: unknown): number =>
  typeof value !== 'object' || value === null ? 0 : 1 + Math.max(0, ...Object.values(value).map(depthOf));

test('the structure of JSON is counted without reading it, whatever its strings hold', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(0, 2), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      const structure = jsonStructure(new TextEncoder().encode(text));
      const read: unknown = JSON.parse(text);
      expect(structure.depth).toBe(depthOf(read));
      expect(structure.keys).toBe(keysOf(read));
    }),
  );
});

test('bytes that are no JSON are counted too', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void jsonStructure(bytes)));
  expect(jsonStructure(new TextEncoder().encode('"unfinished \\"'))).toEqual({ depth: 0, keys: 0, values: 1 });
});
