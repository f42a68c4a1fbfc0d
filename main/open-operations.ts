import type { Clock } from '../command-side/clock.ts';
import { randomPool } from '../command-side/random-pool.ts';
import type { Warn } from '../command-side/warn.ts';
import type { Configuration } from '../schemas/configuration.ts';
import { lockData } from './lock-data.ts';
import { cassandraClusters } from './open-cassandra.ts';
import { openErasures } from './open-erasures.ts';
import { openInbox } from './open-inbox.ts';
import { openSearch } from './open-search.ts';
import { openStores } from './open-stores.ts';
import type { OperationsDeps } from './operations.ts';

/** What operations need, where no server runs: takes the lock of the data until `stack` is unwound. */
export const openOperations = async (
  configuration: Configuration,
  clock: Clock,
  warn: Warn,
  stack: AsyncDisposableStack,
): Promise<OperationsDeps> => {
  const { data, log, accounts, inbox, search, tokens } = configuration;
  const randomBytes = randomPool();
  const waiting = (setting: string, reason: string): void => warn({ setting, reason }, 'waits for a server');
  const starting = { waiting, signal: new AbortController().signal };
  const cassandra = cassandraClusters(warn, starting, stack);
  await lockData(configuration, stack);
  const stores = await openStores(configuration, { clock, randomBytes, warn, cassandra, starting }, stack);
  const erasures = openErasures(data, { ...stores, clock, warn }, stack);
  const deps = { ...stores, clock, randomBytes, warn };
  const { inboxVersions } = await openInbox(inbox, { ...deps, cassandra }, stack);
  const { searchVersions } = await openSearch(search, deps, stack);
  const versions = { inbox: inboxVersions, search: searchVersions };
  return {
    ...deps,
    data,
    logIn: log,
    keysIn: accounts,
    issuer: tokens.issuer,
    erasures,
    versions,
    backedUp: () => undefined,
  };
};
