import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import type { KeySubject } from '../schemas/events.ts';
import { clusterUrl } from '../schemas/cluster-url.ts';
import { userId } from '../schemas/ids.ts';
import { sayLast } from '../tests/say-last.ts';
import { periodicCommitLog, startOwnCassandra } from '../tests/servers/cassandra.ts';
import { cassandraDeps, ownKeyspace, type OwnKeyspace } from '../tests/servers/cassandra-keyspace.ts';
import { accountsStoreContract } from './accounts-store.contract.ts';
import { AccountsUnusable, type AccountsStore } from './accounts-store.ts';
import { openCassandraAccountsStore } from './cassandra-accounts-store.ts';
import { accountsTables } from './cassandra-accounts-tables.ts';
import { openCassandra } from './cassandra-connection.ts';

const warn = (): void => undefined;
let keyspace: OwnKeyspace;
beforeAll(async () => {
  keyspace = await ownKeyspace(inject('cassandra'), [accountsTables]);
});
afterAll(() => keyspace[Symbol.asyncDispose]());

const tables = ['install', 'keys', 'key_names', 'destroyed', 'erased_through'].map((name) => `accounts_${name}`);

/** Of another process: over a connection of its own. */
const openOther = async (whenMissing: 'create' | 'refuse' = 'create'): Promise<AccountsStore> => {
  const cassandra = await openCassandra(clusterUrl.parse(keyspace.url), cassandraDeps);
  onTestFinished(() => cassandra.close());
  return openCassandraAccountsStore({ cassandra, whenMissing, cachedKeys: 200, warn });
};

accountsStoreContract('cassandra', async () => {
  await keyspace.empty();
  const { connection: cassandra } = keyspace;
  return {
    open: (installKey) =>
      openCassandraAccountsStore({ cassandra, whenMissing: 'create', cachedKeys: 200, installKey, warn }),
    async bytes() {
      const found: Buffer[] = [];
      for (const table of tables) {
        const { rows } = await cassandra.client.execute(`SELECT * FROM ${table}`);
        const cells = rows.flatMap((row) => Object.values(row) as unknown[]);
        for (const cell of cells) found.push(Buffer.isBuffer(cell) ? cell : Buffer.from(String(cell)));
      }
      return Buffer.concat(found);
    },
    remove: () => keyspace.empty(),
  };
});

const someUser = (): KeySubject => `user:${userId.parse(randomBytes(16).toString('base64url'))}`;

describe('accounts of several processes', () => {
  test('of those who begin at once, all have the same install key', async () => {
    await keyspace.empty();
    const stores = await Promise.all(Array.from({ length: 4 }, () => openOther()));
    expect(new Set(stores.map(({ installKey }) => Buffer.from(installKey).toString('hex'))).size).toBe(1);
  });

  test('of those who create one key at once, one does and all write under that key', async () => {
    const stores = await Promise.all([openOther(), openOther()]);
    for (let round = 0; round < 20; round++) {
      const subject = someUser();
      const outcomes = await Promise.all(stores.map((store) => store.createKey(subject)));
      expect(outcomes.toSorted()).toEqual(['created', 'exists']);
      const keys = stores.map((store) => store.keyInMemory(subject));
      expect(keys[0]?.name).toMatch(/./);
      expect(keys[1]?.name).toBe(keys[0]?.name);
      expect(keys[1]?.key.equals(keys[0]?.key ?? keys[1].key)).toBe(true);
    }
    // Who was not the one left no name behind.
    const [names, keys] = await Promise.all(
      ['accounts_key_names', 'accounts_keys'].map((table) =>
        keyspace.connection.client.execute(`SELECT name FROM ${table}`),
      ),
    );
    expect(names?.rowLength).toBe(keys?.rowLength);
  });

  test('a key that one destroys is refused to the other, also in the same moment', async () => {
    const [one, other] = await Promise.all([openOther(), openOther()]);
    for (let round = 0; round < 10; round++) {
      const subject = someUser();
      await Promise.all([one.createKey(subject), other.destroyKey(subject)]);
      const third = await openOther();
      expect(await third.createKey(subject)).toBe('destroyed');
      expect(await third.keyOf(subject)).toBeUndefined();
    }
  });
});

test('accounts are not made anew beside a log that needs them', async () => {
  await keyspace.empty();
  await expect(openOther('refuse')).rejects.toThrow(AccountsUnusable);
  await expect(openOther('refuse')).rejects.toThrow(/holds no keys/);
  await openOther('create');
  await openOther('refuse');
});

test('a node that forgets what it acknowledged is refused', async (context) => {
  const own = await startOwnCassandra(periodicCommitLog);
  if (own === undefined) {
    sayLast('cassandra is not installed: that one with a periodic commit log is refused was not tried.');
    return context.skip();
  }
  onTestFinished(() => own.stop());
  await using forgetful = await ownKeyspace(own.url, [accountsTables]);
  const { connection: cassandra } = forgetful;
  const opened = openCassandraAccountsStore({ cassandra, whenMissing: 'create', cachedKeys: 1, warn });
  await expect(opened).rejects.toThrow(/commitlog_sync: periodic, .* must be group or batch/);
});
