import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { KeySubject } from '../schemas/events.ts';
import { userId } from '../schemas/ids.ts';
import { logId } from '../schemas/position.ts';
import type { AccountsStore } from './accounts-store.ts';
import { copyAccounts, type CopiedAccounts } from './copy-accounts.ts';
import { openSqliteAccountsStore } from './sqlite-accounts-store.ts';

const someUser = (): KeySubject => `user:${userId.parse(randomBytes(16).toString('base64url'))}`;

describe('a copy of accounts', () => {
  let directory: string;
  let source: AccountsStore;
  const opened: AccountsStore[] = [];

  const open = async (name: string, installKey?: Uint8Array): Promise<AccountsStore> => {
    const path = join(directory, name);
    const store = await openSqliteAccountsStore({ path, whenMissing: 'create', cachedKeys: 100, installKey });
    opened.push(store);
    return store;
  };
  const copyTo = (target: AccountsStore): Promise<CopiedAccounts> =>
    copyAccounts({ source, target, copied: () => undefined });

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'parley-accounts-'));
    source = await open('source');
  });
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
    await rm(directory, { recursive: true });
  });

  test('cut short it goes on, and what was destroyed since is destroyed in it', async () => {
    const subjects = Array.from({ length: 200 }, someUser);
    for (const subject of subjects) await source.createKey(subject);
    await source.storeErasedThrough({ log: logId.parse('AAAAAAAAAAAAAAAAAAAAAA'), n: 7 });
    const target = await open('target', source.installKey);
    let taken = 0;
    const dying: AccountsStore = {
      ...target,
      takeKey: (...given) =>
        taken++ === 90 ? Promise.reject(new Error('the process ends')) : target.takeKey(...given),
    };
    await expect(copyTo(dying)).rejects.toThrow('the process ends');
    const gone = subjects.slice(0, 50);
    for (const subject of gone) await source.destroyKey(subject);
    expect(await copyTo(target)).toEqual({ keys: 150, destroyed: 50 });
    expect(await copyTo(target)).toEqual({ keys: 150, destroyed: 50 });
    for (const subject of subjects)
      expect((await target.keyOf(subject))?.name).toBe((await source.keyOf(subject))?.name);
    expect(new Set(await target.destroyed())).toEqual(new Set(gone));
    expect(await target.erasedThrough()).toEqual(await source.erasedThrough());
  });

  test('is refused where the target is another installation’s, or has a key of its own', async () => {
    await source.createKey(someUser());
    await expect(copyTo(await open('other'))).rejects.toThrow('the target holds accounts of another installation');
    const target = await open('target', source.installKey);
    await target.createKey(someUser());
    await expect(copyTo(target)).rejects.toThrow(/the target holds another key of user:/);
  });
});
