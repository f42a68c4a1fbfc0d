import { z } from 'zod';

/** One epoch of the log: the id in its `epoch-started` event. */
export const logId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{21}[AQgw]$/)
  .brand<'LogId'>();
export type LogId = z.infer<typeof logId>;

/**
 * A place in the log: comparable with another only along one line of logs, and only by the log (`EventLog.locate`).
 * `n` of 0 stands before the first event.
 */
export interface LogPosition {
  readonly log: LogId;
  readonly n: number;
}

/**
 * Up to where a device or an analyst has everything: log → n. One entry today; a map in its type and on the wire, so
 * that several logs can come without touching a client. `null` (no cursor) stands before everything.
 */
export type Cursor = ReadonlyMap<LogId, number>;

const entryPattern = /^([A-Za-z0-9_-]{21}[AQgw]):([0-9a-z]{1,11})$/;
const version = '1';
const mostEntries = 16;

const encodePositions = (positions: Cursor): string =>
  [...positions].map(([log, n]) => `${log}:${n.toString(36)}`).join(',');

const decodePositions = (text: string): Cursor | undefined => {
  const positions = new Map<LogId, number>();
  const entries = text.split(',', mostEntries + 1);
  if (entries.length > mostEntries) return undefined;
  for (const entry of entries) {
    const match = entryPattern.exec(entry);
    const n = parseInt(match?.[2] ?? '', 36);
    if (!Number.isSafeInteger(n)) return undefined;
    positions.set(logId.parse(match?.[1]), n);
  }
  return positions;
};

/** The opaque form clients store. */
export const encodeCursor = (cursor: Cursor): string => `${version}.${encodePositions(cursor)}`;

/** The cursor of whoever has everything up to a position. */
export const cursorAt = ({ log, n }: LogPosition): string => encodeCursor(new Map([[log, n]]));

/** `undefined` for anything that `encodeCursor` did not make. */
export const decodeCursor = (text: string): Cursor | undefined =>
  text.startsWith(`${version}.`) ? decodePositions(text.slice(version.length + 1)) : undefined;

/** What a write hands out and `Parley-Read-After` brings back: positions to reach, in the slots the write touched. */
export interface ReadAfter {
  readonly positions: Cursor;
  readonly slots: readonly number[];
}

export const encodeReadAfter = ({ positions, slots }: ReadAfter): string =>
  `${version}.${slots.join('-')}.${encodePositions(positions)}`;

export const decodeReadAfter = (text: string): ReadAfter | undefined => {
  const match = /^1\.([0-9]{1,2}(?:-[0-9]{1,2}){0,63})\.(.+)$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  const positions = decodePositions(match[2]);
  const slots = match[1].split('-').map(Number);
  return positions !== undefined && slots.every((slot) => slot < 64) ? { positions, slots } : undefined;
};
