import type { Clock } from '../command-side/clock.ts';
import { commandSide } from '../command-side/command-side.ts';
import { resolveUser } from '../command-side/resolve-command.ts';
import { queryApi } from '../query-api/query-api.ts';
import { everySecond } from '../realtime/every-second.ts';
import { realtime } from '../realtime/realtime.ts';
import { routeHere } from '../realtime/routing.ts';
import type { Configuration } from '../schemas/configuration.ts';
import { openAdminSocket } from './admin-socket.ts';
import { announceGateway } from './announce-gateway.ts';
import { findLastBackup } from './last-backup.ts';
import { lockData } from './lock-data.ts';
import { openBus } from './open-bus.ts';
import { openErasures } from './open-erasures.ts';
import { openInbox, type FollowingInbox } from './open-inbox.ts';
import { openSearch } from './open-search.ts';
import type { Stores } from './open-stores.ts';
import { lastBackupAt } from './serve-metrics.ts';
import { serveServers } from './serve-servers.ts';
import { openServiceBase } from './service-base.ts';
import { tokenIssuer } from './token-issuer.ts';

export interface Serving extends Stores, FollowingInbox {
  /** Where it listens, with the port. */
  readonly address: string;
  /** Resolves when it cannot go on. */
  readonly failed: Promise<Error>;
}

/** Commands, reads and sockets on one server. Unwinding `stack` drains it, then closes what it opened. */
export const serveEmbedded = async (
  configuration: Configuration,
  clock: Clock,
  stack: AsyncDisposableStack,
  stopping: AbortSignal,
): Promise<Serving> => {
  const { data, allowedOrigins, presence, admission, trustedProxies } = configuration;
  await lockData(configuration, stack);
  const base = await openServiceBase(configuration, clock, stack, stopping);
  const { server, warn } = base;
  const erasures = openErasures(data, base, stack);
  const views = await openInbox(configuration.inbox, base, stack);
  const deps = { ...base, ...views };
  const commands = commandSide({ ...deps, issuer: tokenIssuer(configuration) });
  stack.defer(() => commands.close());
  await server.register(commands.plugin);

  const { search, searchFollower, searchVersions, searchState } = await openSearch(configuration.search, deps, stack);
  const progress = { inbox: views.follower, search: searchFollower };
  const versions = { inbox: views.inboxVersions, search: searchVersions };
  const lastBackup = findLastBackup(data, warn);
  const { issuer } = configuration.tokens;
  const { log: logIn, accounts: keysIn } = configuration;
  await openAdminSocket({ ...deps, data, logIn, keysIn, issuer, erasures, versions, backedUp: lastBackup.made }, stack);
  const queries = queryApi({
    ...deps,
    search,
    progress,
    authenticate: commands.signIn,
    resolveUser: (caller, user) => resolveUser(base.accounts.installKey, caller, user),
  });
  await server.register(queries.plugin);

  const leaseMs = presence.offlineAfterSeconds * 1_000;
  const { bus, leases, registry, state, metrics } = await openBus(configuration.bus, { ...deps, leaseMs }, stack);
  const { region } = configuration;
  const listed = await serveServers({ ...base, authenticate: commands.signIn, registry, region }, stack);
  const sockets = realtime({
    ...deps,
    progress: views.follower,
    gateway: commands.gateway,
    presence: commands.presence,
    leases,
    bus,
    routing: routeHere({ ...deps, bus }),
    presenceTimes: presence,
    admission,
    trustedProxies,
    signIn: commands.signIn,
    allowedOrigins,
    everySecond,
  });
  stack.defer(() => sockets.close());
  sockets.attach(server.server);
  const address = await base.listen({
    metrics: [commands, queries, listed, sockets, { metrics: [...metrics, lastBackupAt(lastBackup)] }].flatMap(
      (service) => service.metrics,
    ),
    readiness: () => ({
      ...commands.ready().checks,
      log: base.logState(),
      sockets: sockets.notReady() ?? 'ok',
    }),
    readModels: queries.checks,
    servers: () => ({ ...state(), ...searchState() }),
  });
  announceGateway({ ...base, configuration, registry, sockets }, address, stack);
  stack.defer(() => sockets.drain());
  return { ...base, ...views, address };
};
