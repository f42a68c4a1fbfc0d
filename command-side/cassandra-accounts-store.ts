import { randomBytes } from 'node:crypto';
import { errors, type Client } from 'cassandra-driver';
import { logId } from '../schemas/position.ts';
import { AccountsAway, AccountsUnusable, type AccountsStore } from './accounts-store.ts';
import { cachedKeys, type KeySource } from './cached-keys.ts';
import { CassandraUnusable, type CassandraConnection } from './cassandra-connection.ts';
import { allKeys, cassandraKeys, destroyedSubjects } from './cassandra-keys.ts';
import type { Warn } from './warn.ts';

export interface CassandraAccountsOptions {
  readonly cassandra: CassandraConnection;
  /** A log whose accounts are missing is not readable: then new ones would hide the loss. */
  readonly whenMissing: 'create' | 'refuse';
  /** Keys held in memory. */
  readonly cachedKeys: number;
  /** What an empty keyspace begins with, where it is to be a copy; else it makes its own. */
  readonly installKey?: Uint8Array | undefined;
  readonly warn: Warn;
}

const installKeyBytes = 32;

/**
 * Keys, tombstones and the install key in a keyspace, whose tables are there (`checkTables`). Who creates a key, and that a
 * destroyed one is never replaced, is decided by Paxos: of all processes one creates, and all get that key.
 */
export const openCassandraAccountsStore = async (options: CassandraAccountsOptions): Promise<AccountsStore> => {
  const { cassandra, whenMissing, cachedKeys: most, installKey: given, warn } = options;
  const { client } = cassandra;
  await requireDurableCommitLog(client, warn);
  const installKey = await installKeyIn(cassandra, whenMissing, given);
  let closed = false;

  const ask = async <Answer>(question: () => Promise<Answer>): Promise<Answer> => {
    if (closed) throw new AccountsAway('the accounts are closed');
    try {
      return await question();
    } catch (error) {
      if (!(error instanceof errors.DriverError)) throw error;
      throw new AccountsAway('the accounts do not answer', { cause: error });
    }
  };
  const keys = cassandraKeys(client);
  const source: KeySource = {
    find: (subject) => ask(() => keys.find(subject)),
    findNamed: (names) => ask(() => keys.findNamed(names)),
    create: (subject) => ask(() => keys.create(subject)),
    destroy: (subject) => ask(() => keys.destroy(subject)),
  };

  return {
    ...cachedKeys(source, most),
    installKey,
    // What is away comes back, and each question says by itself whether it was answered.
    failed: new Promise(() => undefined),
    away: cassandra.away,
    async *each() {
      const rows = allKeys(client);
      for (;;) {
        const { done, value } = await ask(() => rows.next());
        if (done === true) return;
        yield value;
      }
    },
    takeKey: (subject, key) => ask(() => keys.take(subject, key)),
    destroyed: () => ask(() => destroyedSubjects(client)),
    erasedThrough: () =>
      ask(async () => {
        const { rows } = await client.execute('SELECT log, n FROM accounts_erased_through WHERE one = 1');
        const [row] = rows;
        return row === undefined ? null : { log: logId.parse(row['log']), n: Number(row['n']) };
      }),
    storeErasedThrough: ({ log, n }) =>
      ask(async () => {
        await client.execute('INSERT INTO accounts_erased_through (one, log, n) VALUES (1, ?, ?)', [log, BigInt(n)]);
      }),
    async close() {
      closed = true;
    },
  };
};

const installKeyIn = async (
  { client, cluster: { keyspace } }: CassandraConnection,
  whenMissing: 'create' | 'refuse',
  given: Uint8Array | undefined,
): Promise<Uint8Array> => {
  const select = 'SELECT key FROM accounts_install WHERE one = 1';
  let { rows } = await client.execute(select);
  if (rows.length === 0) {
    if (whenMissing === 'refuse')
      throw new AccountsUnusable(
        `keyspace ${keyspace} holds no keys, and without its keys the event log cannot be read`,
      );
    const insert = 'INSERT INTO accounts_install (one, key) VALUES (1, ?) IF NOT EXISTS';
    await client.execute(insert, [given === undefined ? randomBytes(installKeyBytes) : Buffer.from(given)]);
    ({ rows } = await client.execute(select));
  }
  return rows[0]?.['key'] as Buffer;
};

const durableSync: ReadonlySet<string> = new Set(['batch', 'group']);

/**
 * A node that syncs its commit log periodically forgets, when it is killed, what it acknowledged in the last ten seconds:
 * a key that is lost so takes with it what was written under it.
 */
const requireDurableCommitLog = async (client: Client, warn: Warn): Promise<void> => {
  for (const host of client.hosts.values().filter((one) => one.isUp())) {
    try {
      const select = "SELECT value FROM system_views.settings WHERE name = 'commitlog_sync'";
      const { rows } = await client.execute(select, [], { host, prepare: false });
      const sync = rows[0]?.['value'] as string | undefined;
      if (sync === undefined || durableSync.has(sync)) continue;
      throw new CassandraUnusable(
        `${host.address} has commitlog_sync: ${sync}, which forgets acknowledged keys; it must be group or batch`,
      );
    } catch (error) {
      if (!(error instanceof errors.DriverError)) throw error;
      warn(
        { host: host.address, err: error },
        'whether the accounts are on the disk when they are acknowledged is not known',
      );
    }
  }
};
