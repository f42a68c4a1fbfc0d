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
import { forgetErased, openServiceBase, type ServiceBase } from './service-base.ts';
import { requireBus, requireCommandSides, requireRouters, requireShared, type Shared } from './service-requirements.ts';
import type { Serve } from './start-process.ts';

export interface RealtimeProcess {
  readonly configuration: Configuration;
  readonly shared: Shared;
  readonly base: ServiceBase;
  readonly opened: OpenBus;
}

type ServeRole = (process: RealtimeProcess, stack: AsyncDisposableStack) => Promise<string>;

/** What PARLEY_REALTIME says: a router, a gateway, or both. One of several. */
export const serveRealtime: Serve = async (configuration, clock, stack, stopping) => {
  const shared = requireShared(configuration);
  requireBus(configuration);
  const serveRole = roles[configuration.realtime](configuration, shared);
  const base = await openServiceBase(configuration, clock, stack, stopping);
  forgetErased(base, stack);
  const leaseMs = configuration.presence.offlineAfterSeconds * 1_000;
  const opened = await openBus(configuration.bus, { ...base, leaseMs }, stack);
  const address = await serveRole({ configuration, shared, base, opened }, stack);
  return { address, failed: base.failed };
};

/** For whoever listens on the bus; who that is it does not know. */
const serveRouter: ServeRole = async ({ shared, base, opened }, stack) => {
  const memberships = membershipsIn(base.eventLog, base.snapshots);
  const turn = new FlushTurn(() => undefined);
  const routing = routeHere({ ...base, bus: opened.bus })({ memberships, turn, isHeard: () => true });
  stack.defer(() => routing.close());
  await base.server.register(serveRanges({ ...base, ...shared, routing }));
  return base.listen({
    metrics: opened.metrics,
    readiness: () => ({ router: routing.stopped() ?? 'ok' }),
    readModels: () => ({}),
    servers: () => ({ log: base.logState(), ...opened.state() }),
  });
};

/** What a role needs is asked for before anything is opened. */
type Role = (configuration: Configuration, shared: Shared) => ServeRole;

const gatewayAlone: Role = (configuration, { internalToken }) => {
  const commandSides = requireCommandSides(configuration);
  const ask = askRouters({ addresses: requireRouters(configuration), internalToken });
  return (process, stack) => {
    const routing = routeElsewhere({ ...process.base, bus: process.opened.bus, ask, everySecond });
    return serveGateway({ ...process, commandSides }, { routing, plugins: () => [] }, stack);
  };
};

/** Its router is heard over the bus by other gateways too, and answers them. */
const both: Role = (configuration, { internalToken }) => {
  const commandSides = requireCommandSides(configuration);
  return (process, stack) => {
    const { base, opened } = process;
    const route = routeHere({ ...base, bus: opened.bus });
    const gateway = {
      routing: (shared: RoutingShared) => route({ ...shared, isHeard: () => true }),
      plugins: (routing: RoutingHere) => [serveRanges({ ...base, routing, internalToken })],
    };
    return serveGateway({ ...process, commandSides }, gateway, stack);
  };
};

const roles: Readonly<Record<Configuration['realtime'], Role>> = {
  router: () => serveRouter,
  gateway: gatewayAlone,
  both,
};
