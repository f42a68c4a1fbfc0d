import type { Clock } from '../command-side/clock.ts';
import { gatewayTtlMs, mostGateways, type AnnouncedGateway, type GatewayRegistry } from './gateway-registry.ts';

/** For one process. */
export const memoryGatewayRegistry = (clock: Pick<Clock, 'monotonic'>): GatewayRegistry => {
  // In the order of the last announcements.
  const announced = new Map<string, { readonly gateway: AnnouncedGateway; readonly at: number }>();

  return {
    async announce(gateway) {
      const now = clock.monotonic();
      announced.delete(gateway.serverId);
      announced.set(gateway.serverId, { gateway, at: now });
      for (const [serverId, { at }] of announced) {
        if (now - at < gatewayTtlMs) break;
        announced.delete(serverId);
      }
    },
    async withdraw(serverId) {
      announced.delete(serverId);
    },
    async list() {
      const now = clock.monotonic();
      return [...announced.values()]
        .map(({ gateway, at }) => ({ ...gateway, silentMs: now - at }))
        .filter(({ silentMs }) => silentMs < gatewayTtlMs)
        .reverse()
        .slice(0, mostGateways);
    },
  };
};
