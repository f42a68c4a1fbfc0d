import { readModelMetrics, readModelStates } from '../projections/read-model-states.ts';
import { openAdminSocket } from './admin-socket.ts';
import { lockData } from './lock-data.ts';
import { openErasures } from './open-erasures.ts';
import { openInbox } from './open-inbox.ts';
import { openSearch } from './open-search.ts';
import { openServiceBase } from './service-base.ts';
import { requireSearch, requireShared } from './service-requirements.ts';
import type { Serve } from './start-process.ts';

/** Keeps up the read models, destroys the keys of who was erased, and does what operators ask for over its admin socket. */
export const serveProjections: Serve = async (configuration, clock, stack, stopping) => {
  requireShared(configuration);
  const searchPlace = requireSearch(configuration);
  const { data, log: logIn, accounts: keysIn, tokens } = configuration;
  await lockData(configuration, stack);
  const base = await openServiceBase(configuration, clock, stack, stopping);
  const erasures = openErasures(data, base, stack);
  const inbox = await openInbox(configuration.inbox, base, stack);
  const search = await openSearch(searchPlace, base, stack);
  const progress = { inbox: inbox.follower, search: search.searchFollower };
  const versions = { inbox: inbox.inboxVersions, search: search.searchVersions };
  const backedUp = (): void => undefined;
  await openAdminSocket({ ...base, data, logIn, keysIn, issuer: tokens.issuer, erasures, versions, backedUp }, stack);
  const address = await base.listen({
    metrics: readModelMetrics(progress),
    readiness: () => ({}),
    readModels: () => readModelStates(progress),
    servers: () => ({ log: base.logState(), ...search.searchState() }),
  });
  return { address, failed: base.failed };
};
