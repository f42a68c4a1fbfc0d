import type { ErrorCode } from '../schemas/errors.ts';
import { idsOf, parseClientFrame, type ClientFrame, type FrameRefused } from '../schemas/frames.ts';
import { jsonStructure, keysOf } from '../schemas/json-structure.ts';

export type ReadFrame =
  | { readonly ok: true; readonly frame: ClientFrame }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string; readonly ids: FrameRefused };

/** A frame below this size cannot cost more than its refusal, however it is nested. */
const smallBytes = 4_096;
const mostDepth = 32;
/** A group of 10,000 members named by issuer and name, with room. */
const mostValues = 50_000;

const refused = (message: string, ids: FrameRefused = {}): ReadFrame => ({ ok: false, code: 'invalid', message, ids });

/** The bytes of one text message, already known to be UTF-8. */
export const readFrame = (bytes: Buffer): ReadFrame => {
  const structure = bytes.length > smallBytes ? jsonStructure(bytes) : undefined;
  if (structure !== undefined) {
    if (structure.depth > mostDepth) return refused(`the frame is nested deeper than ${mostDepth} levels`);
    if (structure.values > mostValues) return refused(`the frame holds more than ${mostValues} values`);
  }
  let raw: unknown;
  try {
    raw = JSON.parse(bytes.toString());
  } catch (error) {
    if (error instanceof SyntaxError) return refused('the frame is not JSON');
    throw error;
  }
  if (structure !== undefined && keysOf(raw) < structure.keys) return refused('a key stands twice', idsOf(raw));
  const parsed = parseClientFrame(raw);
  return parsed.ok
    ? { ok: true, frame: parsed.value }
    : { ok: false, code: parsed.code, message: parsed.message, ids: idsOf(raw) };
};
