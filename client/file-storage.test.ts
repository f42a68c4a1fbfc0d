import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fileStorage } from './file-storage.ts';
import { storageContract } from './storage.contract.ts';

let folder = '';
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-file-storage-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
const newPath = (): string => join(folder, String(count++), 'store');

storageContract('file', async () => {
  const path = newPath();
  return () => fileStorage(path);
});

test('cut anywhere, it has whole commits and none after the cut; what is committed then stays', async () => {
  const path = newPath();
  const storage = await fileStorage(path);
  const lengths = [0];
  for (let n = 1; n <= 5; n++) {
    await storage.commit(new Map(Object.entries({ n, [`text ${n}`]: 'ü'.repeat(n) })));
    lengths.push((await readFile(path)).length);
  }
  await storage.close();
  const whole = await readFile(path);
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: whole.length }), async (cut) => {
      const damaged = newPath();
      await (await fileStorage(damaged)).close();
      await writeFile(damaged, whole.subarray(0, cut));
      const commits = lengths.filter((length) => length <= cut).length - 1;
      const reopened = await fileStorage(damaged);
      expect((await reopened.load()).get('n') ?? 0).toBe(commits);
      await reopened.commit(new Map([['later', true]]));
      await reopened.close();
      const last = await fileStorage(damaged);
      expect((await last.load()).size).toBe((commits > 0 ? commits + 1 : 0) + 1);
      await last.close();
    }),
  );
});

test('bytes that are no line of ours end what is read, and do not stay in the way', async () => {
  const path = newPath();
  const storage = await fileStorage(path);
  await storage.commit(new Map([['a', 1]]));
  await storage.close();
  await appendFile(path, '{"not" closed\n[["b",2]]\n');
  const reopened = await fileStorage(path);
  expect(await reopened.load()).toEqual(new Map([['a', 1]]));
  await reopened.commit(new Map([['c', 3]]));
  await reopened.close();
  const last = await fileStorage(path);
  expect([...(await last.load()).keys()]).toEqual(['a', 'c']);
  await last.close();
});

test('belongs to one client at a time; the lock of a process that is gone does not count', async () => {
  const path = newPath();
  const storage = await fileStorage(path);
  await expect(fileStorage(path)).rejects.toThrow('has the storage open');
  await storage.close();
  await writeFile(`${path}.lock`, '999999999');
  const afterCrash = await fileStorage(path);
  await afterCrash.close();
  // A container's processes have the same numbers at every start.
  await writeFile(`${path}.lock`, String(process.pid));
  await (await fileStorage(path)).close();
});
