import type { Clock, RandomBytes } from '../command-side/clock.ts';
import type { Warn } from '../command-side/warn.ts';
import { everySecond } from '../realtime/every-second.ts';
import type { GatewayRegistry } from '../realtime/gateway-registry.ts';
import type { Realtime } from '../realtime/realtime.ts';
import { registryHeartbeat } from '../realtime/registry-heartbeat.ts';
import type { Configuration } from '../schemas/configuration.ts';

export interface AnnounceGatewayDeps {
  readonly configuration: Pick<Configuration, 'publicUrl' | 'region' | 'host'>;
  readonly registry: GatewayRegistry;
  readonly sockets: Pick<Realtime, 'announced'>;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly warn: Warn;
}

/** An address that says where it listens, and not where it is reached. */
const everywhere: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/**
 * Makes a gateway that listens at `address` known to those who send clients to one. Unwinding `stack` takes that back, and is
 * to drain the sockets before: meanwhile it is known that they drain.
 */
export const announceGateway = (deps: AnnounceGatewayDeps, address: string, stack: AsyncDisposableStack): void => {
  const { configuration, sockets, clock, randomBytes } = deps;
  const { publicUrl, region = null, host } = configuration;
  if (publicUrl === undefined && everywhere.has(host)) return;
  const who = {
    serverId: Buffer.from(randomBytes(12)).toString('base64url'),
    url: publicUrl ?? address,
    region,
    capacity: null,
    since: clock.now(),
  };
  const heartbeat = registryHeartbeat({ ...deps, everySecond, self: () => ({ ...who, ...sockets.announced() }) });
  stack.defer(() => heartbeat.end());
};
