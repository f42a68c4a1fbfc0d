import { rm } from 'node:fs/promises';
import type { Warn } from '../command-side/warn.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { proofOf } from '../projections/position-proof.ts';
import type { ReadModelWriter } from '../projections/read-model.ts';

/** A version of a read model is one SQLite file and what SQLite keeps beside it. */
export const removeVersion = async (path: string): Promise<void> => {
  await Promise.all(['', '-wal', '-shm'].map((suffix) => rm(`${path}${suffix}`, { force: true })));
};

/**
 * Opens the file if it was built from this log, whichever of its epochs that was in. What cannot be read or was built from
 * a tail that is lost is removed: all of it can be made again, and an erasure would not reach it.
 */
export const openVersion = async (
  path: string,
  open: (path: string) => Promise<ReadModelWriter>,
  eventLog: EventLog,
  warn: Warn,
): Promise<ReadModelWriter | undefined> => {
  let writer: ReadModelWriter;
  try {
    writer = await open(path);
  } catch (error) {
    warn({ err: error, path }, 'a read model was damaged and is made again');
    await removeVersion(path);
    return undefined;
  }
  const stored = await writer.position();
  // Nobody else writes this log, so a position beyond its end is one of a tail that was lost.
  if ((await proofOf(eventLog, stored?.applied, new AbortController().signal)) === 'holds') return writer;
  await writer.close();
  warn({ path }, 'a read model was not of this log and is made again');
  await removeVersion(path);
  return undefined;
};
