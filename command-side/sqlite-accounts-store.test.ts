import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { accountsStoreContract } from './accounts-store.contract.ts';
import { AccountsUnusable } from './accounts-store.ts';
import { openSqliteAccountsStore } from './sqlite-accounts-store.ts';

const newDirectory = (): Promise<string> => mkdtemp(join(tmpdir(), 'parley-accounts-'));

accountsStoreContract('sqlite', async () => {
  const directory = await newDirectory();
  return {
    open: (installKey) =>
      openSqliteAccountsStore({
        path: join(directory, 'accounts.db'),
        whenMissing: 'create',
        cachedKeys: 200,
        installKey,
      }),
    bytes: async () =>
      Buffer.concat(await Promise.all((await readdir(directory)).map((file) => readFile(join(directory, file))))),
    remove: () => rm(directory, { recursive: true }),
  };
});

describe('the file of the accounts', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await newDirectory();
  });
  afterEach(() => rm(directory, { recursive: true }));
  const open = (whenMissing: 'create' | 'refuse') =>
    openSqliteAccountsStore({ path: join(directory, 'accounts.db'), whenMissing, cachedKeys: 10 });

  test('is for its owner alone', async () => {
    const store = await open('create');
    try {
      for (const file of await readdir(directory)) {
        expect((await stat(join(directory, file))).mode & 0o077).toBe(0);
      }
    } finally {
      await store.close();
    }
  });

  test('is not made anew beside a log that needs it', async () => {
    await expect(open('refuse')).rejects.toThrow(AccountsUnusable);
    await expect(open('refuse')).rejects.toThrow(/accounts\.db is missing/);
    expect(await readdir(directory)).toEqual([]);
  });

  test('is refused with one line when it is somebody else’s', async () => {
    await writeFile(join(directory, 'accounts.db'), 'not a database, but long enough to look at '.repeat(200));
    await expect(open('create')).rejects.toThrow(/^cannot open .*accounts\.db: .+$/);
  });
});
