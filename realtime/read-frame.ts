import type { ErrorCode } from '../schemas/errors.ts';
import { idsOf, parseClientFrame, type ClientFrame, type FrameRefused } from '../schemas/frames.ts';

export type ReadFrame =
  | { readonly ok: true; readonly frame: ClientFrame }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string; readonly ids: FrameRefused };

/** A frame below this size cannot cost more than its refusal, however it is nested. */
const smallBytes = 4_096;
const mostDepth = 32;
/** A group of 10,000 members named by issuer and name, with room. */
const mostValues = 50_000;

const quote = 0x22;
const comma = 0x2c;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

const refused = (message: string, ids: FrameRefused = {}): ReadFrame => ({ ok: false, code: 'invalid', message, ids });

/** The bytes of one text message, already known to be UTF-8. */
export const readFrame = (bytes: Buffer): ReadFrame => {
  const excess = bytes.length > smallBytes ? tooComplex(bytes) : undefined;
  if (excess !== undefined) return refused(excess);
  let raw: unknown;
  try {
    raw = JSON.parse(bytes.toString());
  } catch (error) {
    if (error instanceof SyntaxError) return refused('the frame is not JSON');
    throw error;
  }
  const parsed = parseClientFrame(raw);
  return parsed.ok
    ? { ok: true, frame: parsed.value }
    : { ok: false, code: parsed.code, message: parsed.message, ids: idsOf(raw) };
};

/** Looks at the structure alone, so that a hostile frame is refused before it becomes a million objects. */
export const tooComplex = (bytes: Buffer): string | undefined => {
  let depth = 0;
  let values = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === quote) i = endOfString(bytes, i);
    else if (byte === openBracket || byte === openBrace) depth++;
    else if (byte === closeBracket || byte === closeBrace) depth--;
    else if (byte === comma) values++;
    if (depth > mostDepth) return `the frame is nested deeper than ${mostDepth} levels`;
    if (values > mostValues) return `the frame holds more than ${mostValues} values`;
  }
  return undefined;
};

const endOfString = (bytes: Buffer, start: number): number => {
  for (let end = bytes.indexOf(quote, start + 1); end !== -1; end = bytes.indexOf(quote, end + 1)) {
    let backslashes = 0;
    while (bytes[end - 1 - backslashes] === backslash) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return bytes.length;
};
