import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Warn } from '../command-side/warn.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { proofOf } from '../projections/position-proof.ts';
import type { ReadModelWriter } from '../projections/read-model.ts';

export interface ReadModelFile {
  readonly name: string;
  /** Rises whenever the same log gives other rows: then it is built anew. */
  readonly version: number;
  readonly directory: string;
  readonly open: (path: string) => Promise<ReadModelWriter>;
}

export interface OpenedReadModel {
  readonly path: string;
  readonly writer: ReadModelWriter;
}

const removeFile = async (path: string): Promise<void> => {
  await Promise.all(['', '-wal', '-shm'].map((suffix) => rm(`${path}${suffix}`, { force: true })));
};

/**
 * Opens the file that was built from this log, whichever of its epochs that was in, or begins a new one named after the
 * epoch. What cannot be read or was built from a tail that is lost is removed: all of it can be made again, and an erasure
 * would not reach it.
 */
export const openReadModel = async (
  { name, version, directory, open }: ReadModelFile,
  eventLog: EventLog,
  warn: Warn,
): Promise<OpenedReadModel> => {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const pattern = new RegExp(`^${name}-[A-Za-z0-9_-]{22}-v${version}\\.sqlite$`);
  for (const file of (await readdir(directory)).filter((found) => pattern.test(found))) {
    const path = join(directory, file);
    const opened = await openIfOfThisLog(path, open, eventLog, warn);
    if (opened !== undefined) return opened;
    await removeFile(path);
  }
  const path = join(directory, `${name}-${eventLog.head().log}-v${version}.sqlite`);
  return { path, writer: await open(path) };
};

const openIfOfThisLog = async (
  path: string,
  open: ReadModelFile['open'],
  eventLog: EventLog,
  warn: Warn,
): Promise<OpenedReadModel | undefined> => {
  let writer: ReadModelWriter;
  try {
    writer = await open(path);
  } catch (error) {
    warn({ err: error, path }, 'a read model was damaged and is made again');
    return undefined;
  }
  const stored = await writer.position();
  // Nobody else writes this log, so a position beyond its end is one of a tail that was lost.
  if ((await proofOf(eventLog, stored?.applied, new AbortController().signal)) === 'holds') return { path, writer };
  await writer.close();
  warn({ path }, 'a read model was not of this log and is made again');
  return undefined;
};
