import { jsonStructure, keysOf } from '../schemas/json-structure.ts';
import type { Parsed } from '../schemas/parse.ts';

const mostDepth = 32;
/** A group of 10,000 members named by issuer and name, with room. */
const mostValues = 50_000;

const refused = (message: string): Parsed<never> => ({ ok: false, code: 'invalid', message });
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The JSON of a body, refused for its shape before it is read and for what two readers would read differently. */
export const readBody = (bytes: Uint8Array): Parsed<unknown> => {
  const structure = jsonStructure(bytes);
  if (structure.depth > mostDepth) return refused(`the body is nested deeper than ${mostDepth} levels`);
  if (structure.values > mostValues) return refused(`the body holds more than ${mostValues} values`);
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(bytes));
  } catch (error) {
    if (error instanceof SyntaxError) return refused('the body is not JSON');
    if (error instanceof TypeError) return refused('the body is not UTF-8');
    throw error;
  }
  return keysOf(value) === structure.keys ? { ok: true, value } : refused('a key of the body stands twice');
};
