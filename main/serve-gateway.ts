import type { FastifyPluginAsync } from 'fastify';
import { commandLink } from '../command-side/command-link.ts';
import { signInApart } from '../command-side/sign-in-apart.ts';
import { everySecond } from '../realtime/every-second.ts';
import { realtime } from '../realtime/realtime.ts';
import type { Routing, RoutingShared } from '../realtime/routing.ts';
import { readModelState } from '../projections/read-model-states.ts';
import { announceGateway } from './announce-gateway.ts';
import { askInbox } from './ask-inbox.ts';
import type { RealtimeProcess } from './serve-realtime.ts';
import { tokenIssuer } from './token-issuer.ts';

export interface GatewayProcess extends RealtimeProcess {
  /** Their addresses. */
  readonly commandSides: readonly string[];
}

export interface GatewayRouting<Routed extends Routing> {
  readonly routing: (shared: RoutingShared) => Routed;
  /** What is served beside the sockets. */
  readonly plugins: (routing: Routed) => readonly FastifyPluginAsync[];
}

/** Holds sockets, and gives them what its routing brings. */
export const serveGateway = async <Routed extends Routing>(
  { configuration, shared, base, opened, commandSides }: GatewayProcess,
  { routing, plugins }: GatewayRouting<Routed>,
  stack: AsyncDisposableStack,
): Promise<string> => {
  const { allowedOrigins, presence, admission, trustedProxies } = configuration;
  const { inbox, progress } = await askInbox(shared.inboxOn, base, stack);
  const link = commandLink({ ...base, ...shared, addresses: commandSides });
  stack.defer(() => link.close());
  const sockets = realtime({
    ...base,
    inbox,
    progress,
    gateway: link.gateway,
    presence: link.presence,
    leases: opened.leases,
    bus: opened.bus,
    routing,
    presenceTimes: presence,
    admission,
    trustedProxies,
    signIn: signInApart({ ...base, issuer: tokenIssuer(configuration), register: link.signIn }),
    allowedOrigins,
    everySecond,
  });
  stack.defer(() => sockets.close());
  sockets.attach(base.server.server);
  for (const plugin of plugins(sockets.routing)) await base.server.register(plugin);
  const address = await base.listen({
    metrics: [...sockets.metrics, ...link.metrics, ...opened.metrics],
    readiness: () => ({ sockets: sockets.notReady() ?? 'ok' }),
    readModels: () => ({ inbox: readModelState(progress) }),
    servers: () => ({ log: base.logState(), ...opened.state(), ...link.state() }),
  });
  announceGateway({ ...base, configuration, registry: opened.registry, sockets }, address, stack);
  stack.defer(() => sockets.drain());
  return address;
};
