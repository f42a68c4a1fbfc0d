import { gatewayRegistryContract } from './gateway-registry.contract.ts';
import { memoryGatewayRegistry } from './memory-gateway-registry.ts';
import { standingClock } from './presence-leases.contract.ts';

gatewayRegistryContract('memory', async () => {
  const clock = standingClock();
  return { registry: memoryGatewayRegistry(clock), pass: clock.pass, close: () => Promise.resolve() };
});
