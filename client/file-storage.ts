import { mkdir, open, readFile, rename, rm, truncate, type FileHandle } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Changes, ClientStorage, Json } from './storage.ts';

/** A journal is rewritten when it is this many times as long as it was after the last time, and not short. */
const growthBeforeRewrite = 4;
const shortestToRewrite = 1_000_000;

interface Journal {
  file: FileHandle;
  length: number;
  rewriteAt: number;
}

/**
 * A journal in one file, a line of JSON for every commit, on the disk before the commit resolves. A line that a crash cut
 * short does not count. Rejects while another process, or another client of this one, has it open.
 */
export const fileStorage = async (path: string): Promise<ClientStorage> => {
  await mkdir(dirname(path), { recursive: true });
  const lock = resolve(`${path}.lock`);
  await takeLock(lock);
  try {
    const kept = new Map<string, Json>();
    const length = await replay(path, kept);
    const journal = { file: await open(path, 'a'), length, rewriteAt: shortestToRewrite };
    await syncFolder(path);
    return {
      load: async () => new Map(kept),
      async commit(changes) {
        apply(kept, changes);
        await append(journal, changes);
        if (journal.length >= journal.rewriteAt) await rewrite(path, journal, kept);
      },
      async close() {
        await journal.file.close();
        await releaseLock(lock);
      },
    };
  } catch (error) {
    await releaseLock(lock);
    throw error;
  }
};

const apply = (kept: Map<string, Json>, changes: Iterable<readonly [string, Json]>): void => {
  for (const [key, value] of changes) {
    if (value === null) kept.delete(key);
    else kept.set(key, value);
  }
};

const append = async (journal: Journal, changes: Changes): Promise<void> => {
  const line = Buffer.from(`${JSON.stringify([...changes])}\n`);
  await journal.file.appendFile(line);
  await journal.file.datasync();
  journal.length += line.length;
};

/** What is alive, in one line of a new file that takes the place of the old one. */
const rewrite = async (path: string, journal: Journal, kept: Changes): Promise<void> => {
  const next = { file: await open(`${path}.next`, 'w'), length: 0, rewriteAt: 0 };
  await append(next, kept);
  await rename(`${path}.next`, path);
  await syncFolder(path);
  await journal.file.close();
  journal.file = next.file;
  journal.length = next.length;
  journal.rewriteAt = Math.max(shortestToRewrite, next.length * growthBeforeRewrite);
};

/** Reads the journal and cuts off what a crash left of its last line; answers how long it is. */
const replay = async (path: string, kept: Map<string, Json>): Promise<number> => {
  const bytes = await readFile(path).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return Buffer.alloc(0);
    throw error;
  });
  let length = 0;
  for (let end = bytes.indexOf('\n'); end >= 0; end = bytes.indexOf('\n', length)) {
    const changes = entriesIn(bytes.toString('utf8', length, end));
    if (changes === undefined) break;
    apply(kept, changes);
    length = end + 1;
  }
  if (length < bytes.length) await truncate(path, length);
  return length;
};

const entriesIn = (line: string): [string, Json][] | undefined => {
  try {
    return JSON.parse(line) as [string, Json][];
  } catch {
    return undefined;
  }
};

/** Without it a power cut could take back that a file is there, or that it took another's place. */
const syncFolder = async (path: string): Promise<void> => {
  if (process.platform === 'win32') return;
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
};

/** The locks of this process: one with its number that is not among them is left over from an earlier process. */
const locksHere = new Set<string>();

const takeLock = async (lock: string): Promise<void> => {
  try {
    const file = await open(lock, 'wx');
    await file.writeFile(String(process.pid));
    await file.close();
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    const owner = Number(await readFile(lock, 'utf8'));
    const inUse = owner === process.pid ? locksHere.has(lock) : isRunning(owner);
    if (inUse) throw new Error(`${lock}: process ${owner} has the storage open`, { cause: error });
    await rm(lock, { force: true });
    await takeLock(lock);
    return;
  }
  locksHere.add(lock);
};

const releaseLock = async (lock: string): Promise<void> => {
  locksHere.delete(lock);
  await rm(lock, { force: true });
};

const isRunning = (pid: number): boolean => {
  if (!(pid > 0)) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return hasCode(error, 'EPERM');
  }
};

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;
