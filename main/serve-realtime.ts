import { followErasures } from '../command-side/follow-erasures.ts';
import { FlushTurn } from '../realtime/flush-turn.ts';
import { askRouters } from '../realtime/ask-routers.ts';
import { everySecond } from '../realtime/every-second.ts';
import { membershipsIn } from '../realtime/memberships-in.ts';
import { routeElsewhere } from '../realtime/route-elsewhere.ts';
import { routeHere, type RoutingHere, type RoutingShared } from '../realtime/routing.ts';
import { serveRanges } from '../realtime/serve-ranges.ts';
import type { Configuration } from '../schemas/configuration.ts';
import { openBus, type OpenBus } from './open-bus.ts';
import { serveGateway } from './serve-gateway.ts';
import { openServiceBase, type ServiceBase } from './service-base.ts';
import { requireBus, requireRouters, requireShared } from './service-requirements.ts';
import type { Serve } from './start-process.ts';

export interface RealtimeProcess {
  readonly configuration: Configuration;
  readonly base: ServiceBase;
  readonly opened: OpenBus;
  readonly internalToken: string;
}

type ServeRole = (process: RealtimeProcess, stack: AsyncDisposableStack) => Promise<string>;

/** What PARLEY_REALTIME says: a router, a gateway, or both. One of several. */
export const serveRealtime: Serve = async (configuration, clock, stack, stopping) => {
  const { internalToken } = requireShared(configuration);
  requireBus(configuration);
  const serveRole = roles[configuration.realtime];
  const base = await openServiceBase(configuration, clock, stack, stopping);
  const erasures = followErasures({ ...base, destroyed: () => undefined });
  stack.defer(() => erasures.close());
  const leaseMs = configuration.presence.offlineAfterSeconds * 1_000;
  const opened = await openBus(configuration.bus, { ...base, leaseMs }, stack);
  const address = await serveRole({ configuration, base, opened, internalToken }, stack);
  return { address, failed: Promise.race([base.eventLog.failed, base.accounts.failed]) };
};

/** For whoever listens on the bus; who that is it does not know. */
const serveRouter: ServeRole = async ({ base, opened, internalToken }, stack) => {
  const memberships = membershipsIn(base.eventLog, base.snapshots);
  const turn = new FlushTurn(() => undefined);
  const routing = routeHere({ ...base, bus: opened.bus })({ memberships, turn, isHeard: () => true });
  stack.defer(() => routing.close());
  await base.server.register(serveRanges({ ...base, routing, internalToken }));
  return base.listen({
    metrics: opened.metrics,
    readiness: () => ({ router: routing.stopped() ?? 'ok' }),
    readModels: () => ({}),
    servers: () => ({ log: base.eventLog.away() ?? 'ok', ...opened.state() }),
  });
};

const serveGatewayAlone: ServeRole = (process, stack) => {
  const { configuration, base, opened, internalToken } = process;
  const ask = askRouters({ addresses: requireRouters(configuration), internalToken });
  const routing = routeElsewhere({ ...base, bus: opened.bus, ask, everySecond });
  return serveGateway(process, { routing, plugins: () => [] }, stack);
};

/** Its router is heard over the bus by other gateways too, and answers them. */
const serveBoth: ServeRole = (process, stack) => {
  const { base, opened, internalToken } = process;
  const route = routeHere({ ...base, bus: opened.bus });
  const gateway = {
    routing: (shared: RoutingShared) => route({ ...shared, isHeard: () => true }),
    plugins: (routing: RoutingHere) => [serveRanges({ ...base, routing, internalToken })],
  };
  return serveGateway(process, gateway, stack);
};

const roles = { router: serveRouter, gateway: serveGatewayAlone, both: serveBoth } as const;
