import type { FastifyInstance } from 'fastify';
import type { Warn } from '../command-side/warn.ts';
import { servers, type ServersDeps } from '../query-api/servers.ts';
import { everySecond } from '../realtime/every-second.ts';
import type { GatewayRegistry } from '../realtime/gateway-registry.ts';
import { registryView } from '../realtime/registry-view.ts';
import type { Metric } from '../schemas/metrics.ts';

export interface ServeServersDeps extends Omit<ServersDeps, 'seen'> {
  readonly registry: GatewayRegistry;
  readonly server: FastifyInstance;
  readonly warn: Warn;
}

/** Tells clients which gateways the registry knows. */
export const serveServers = async (
  deps: ServeServersDeps,
  stack: AsyncDisposableStack,
): Promise<{ readonly metrics: readonly Metric[] }> => {
  const view = registryView({ ...deps, everySecond });
  stack.defer(() => view.close());
  const served = servers({ ...deps, seen: view.seen });
  await deps.server.register(served.plugin);
  return served;
};
