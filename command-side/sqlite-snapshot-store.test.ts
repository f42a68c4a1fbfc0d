import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { conversationId } from '../schemas/ids.ts';
import { conversationStream } from '../schemas/streams.ts';
import { snapshotStoreContract } from './snapshot-store.contract.ts';
import { openSqliteSnapshotStore } from './sqlite-snapshot-store.ts';

const newDirectory = (): Promise<string> => mkdtemp(join(tmpdir(), 'parley-snapshots-'));
const nothingToReport = (): void => undefined;

snapshotStoreContract('sqlite', async () => {
  const directory = await newDirectory();
  const path = join(directory, 'snapshots.db');
  return {
    open: () => openSqliteSnapshotStore(path, nothingToReport),
    async damage(text) {
      const bytes = await readFile(path);
      const at = bytes.indexOf(text);
      expect(at).toBeGreaterThan(0);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      await writeFile(path, bytes);
    },
    remove: () => rm(directory, { recursive: true }),
  };
});

describe('the file of the snapshots', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await newDirectory();
  });
  afterEach(() => rm(directory, { recursive: true }));

  test('is made anew, with a report, when it cannot be opened', async () => {
    const path = join(directory, 'snapshots.db');
    await writeFile(path, 'no database at all '.repeat(500));
    const reports: string[] = [];
    const store = await openSqliteSnapshotStore(path, (_, message) => reports.push(message));
    try {
      expect(await store.load(conversationStream(conversationId.parse('A'.repeat(22))))).toBeUndefined();
      expect(reports).toHaveLength(1);
    } finally {
      await store.close();
    }
  });
});
