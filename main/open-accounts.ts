import { join } from 'node:path';
import type { AccountsStore } from '../command-side/accounts-store.ts';
import type { Warn } from '../command-side/warn.ts';
import { refuseSealed } from '../event-log/seal.ts';
import type { StorePlace } from '../schemas/store-place.ts';
import type { CassandraClusters } from './open-cassandra.ts';

export interface AccountsDeps {
  readonly cassandra: CassandraClusters;
  readonly whenMissing: 'create' | 'refuse';
  /** What new accounts begin with, where they are to be a copy. */
  readonly installKey?: Uint8Array;
  readonly warn: Warn;
}

const cachedKeys = 200_000;

/** The accounts, by the place that PARLEY_ACCOUNTS names, until `stack` is unwound. */
export const openAccounts = async (
  place: StorePlace,
  { cassandra, whenMissing, installKey, warn }: AccountsDeps,
  stack: AsyncDisposableStack,
): Promise<AccountsStore> => {
  const open = async (): Promise<AccountsStore> => {
    switch (place.in) {
      case 'sqlite': {
        refuseSealed(place.directory, 'accounts');
        const { openSqliteAccountsStore } = await import('../command-side/sqlite-accounts-store.ts');
        return openSqliteAccountsStore({
          path: join(place.directory, 'accounts.sqlite'),
          whenMissing,
          cachedKeys,
          installKey,
        });
      }
      case 'cassandra': {
        const [{ openCassandraAccountsStore }, { accountsTables: tables }] = await Promise.all([
          import('../command-side/cassandra-accounts-store.ts'),
          import('../command-side/cassandra-accounts-tables.ts'),
        ]);
        return cassandra.on({ setting: 'PARLEY_ACCOUNTS', cluster: place.cluster, tables }, (connection) =>
          openCassandraAccountsStore({ cassandra: connection, whenMissing, cachedKeys, installKey, warn }),
        );
      }
      default:
        return place satisfies never;
    }
  };
  const store = await open();
  stack.defer(() => store.close());
  return store;
};
