import { commandLink } from '../command-side/command-link.ts';
import { resolveUser } from '../command-side/resolve-command.ts';
import { signInApart } from '../command-side/sign-in-apart.ts';
import { queryApi } from '../query-api/query-api.ts';
import { askInbox } from './ask-inbox.ts';
import { askSearch } from './ask-search.ts';
import { openShared } from './open-bus.ts';
import { serveServers } from './serve-servers.ts';
import { forgetErased, openServiceBase } from './service-base.ts';
import { requireCommandSides, requireSearch, requireShared } from './service-requirements.ts';
import type { Serve } from './start-process.ts';
import { tokenIssuer } from './token-issuer.ts';

/** Reads of users over REST. One of several. */
export const serveQueryApi: Serve = async (configuration, clock, stack, stopping) => {
  const { inboxOn, internalToken } = requireShared(configuration);
  const searchPlace = requireSearch(configuration);
  const addresses = requireCommandSides(configuration);
  const base = await openServiceBase(configuration, clock, stack, stopping);
  forgetErased(base, stack);
  const inbox = await askInbox(inboxOn, base, stack);
  const search = await askSearch(searchPlace, base, stack);
  const link = commandLink({ ...base, addresses, internalToken });
  stack.defer(() => link.close());
  const shared = await openShared(configuration.bus, base, stack);
  const authenticate = signInApart({ ...base, issuer: tokenIssuer(configuration), register: link.signIn });
  const queries = queryApi({
    ...base,
    newRateLimit: shared.newRateLimit,
    inbox: inbox.inbox,
    search: search.search,
    progress: { inbox: inbox.progress, search: search.progress },
    authenticate,
    resolveUser: (caller, user) => resolveUser(base.accounts.installKey, caller, user),
  });
  await base.server.register(queries.plugin);
  const { region } = configuration;
  const { registry } = shared;
  const listed = await serveServers({ ...base, authenticate, registry, region }, stack);
  const address = await base.listen({
    metrics: [...queries.metrics, ...listed.metrics, ...link.metrics, ...shared.metrics],
    readiness: () => ({}),
    readModels: queries.checks,
    servers: () => ({ log: base.logState(), ...search.state(), ...link.state(), ...shared.state() }),
  });
  return { address, failed: base.failed };
};
