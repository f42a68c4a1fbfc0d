import type { Clock } from '../command-side/clock.ts';
import { commandSide } from '../command-side/command-side.ts';
import { randomPool } from '../command-side/random-pool.ts';
import { resolveUser } from '../command-side/resolve-command.ts';
import { queryApi } from '../query-api/query-api.ts';
import { everySecond } from '../realtime/every-second.ts';
import { realtime } from '../realtime/realtime.ts';
import { routeHere } from '../realtime/routing.ts';
import type { Configuration } from '../schemas/configuration.ts';
import { openAdminSocket } from './admin-socket.ts';
import { serveHealth } from './health.ts';
import { httpServer } from './http-server.ts';
import { findLastBackup } from './last-backup.ts';
import { openBus } from './open-bus.ts';
import { cassandraClusters } from './open-cassandra.ts';
import { openErasures } from './open-erasures.ts';
import { openInbox, type FollowingInbox } from './open-inbox.ts';
import { openSearch } from './open-search.ts';
import { openStores, type Stores } from './open-stores.ts';
import { serveWait } from './start-wait.ts';
import { lastBackupAt, buildInfo, serveMetrics } from './serve-metrics.ts';
import { tokenIssuer } from './token-issuer.ts';

export interface Serving extends Stores, FollowingInbox {
  /** Where it listens, with the port. */
  readonly address: string;
  /** Resolves when it cannot go on. */
  readonly failed: Promise<Error>;
}

/** Commands, sockets and health on one server over SQLite. Unwinding `stack` drains it, then closes what it opened. */
export const serveEmbedded = async (
  configuration: Configuration,
  clock: Clock,
  stack: AsyncDisposableStack,
  stopping: AbortSignal,
): Promise<Serving> => {
  const { host, port, data, limits, allowedOrigins, presence, admission, trustedProxies, recentEvents } = configuration;
  const server = httpServer(limits);
  const report = server.log.error.bind(server.log);
  const warn = server.log.warn.bind(server.log);
  const randomBytes = randomPool();

  const starting = serveWait(host, port, stopping);
  stack.defer(async () => {
    await starting.close();
  });
  const cassandra = cassandraClusters(warn, starting, stack);
  const stores = await openStores(
    configuration,
    { clock, randomBytes, warn, cassandra, starting, recentEvents },
    stack,
  );
  const erasures = openErasures(data, { ...stores, clock, warn }, stack);
  const views = await openInbox(configuration.inbox, { ...stores, clock, randomBytes, warn, cassandra }, stack);
  const deps = { ...stores, ...views, clock, randomBytes, limits, report, warn };
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
    resolveUser: (caller, user) => resolveUser(stores.accounts.installKey, caller, user),
  });
  await server.register(queries.plugin);

  const leaseMs = presence.offlineAfterSeconds * 1_000;
  const { bus, leases, state, metrics } = await openBus(configuration.bus, { ...deps, leaseMs }, stack);
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
  const services = [stores, commands, queries, sockets, { metrics }].flatMap((service) => service.metrics);
  serveMetrics(server, [...services, buildInfo, lastBackupAt(lastBackup)], configuration.internalToken);
  const readiness = () => ({
    ...commands.ready().checks,
    log: stores.eventLog.away() ?? 'ok',
    sockets: sockets.notReady() ?? 'ok',
  });
  const servers = () => ({ ...state(), ...cassandra.state(), ...searchState() });
  serveHealth(server, readiness, { readModels: queries.checks, servers });

  stack.defer(() => server.close());
  stack.defer(() => sockets.drain());
  const failed = Promise.race([stores.eventLog.failed, stores.accounts.failed]);
  const address = await server.listen({ host, port: await starting.close() });
  return { ...stores, ...views, address, failed };
};
