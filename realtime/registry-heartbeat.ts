import type { Clock } from '../command-side/clock.ts';
import type { EverySecond } from './every-second.ts';
import type { AnnouncedGateway, GatewayRegistry } from './gateway-registry.ts';

export interface RegistryHeartbeatDeps {
  readonly registry: GatewayRegistry;
  /** How it is now. */
  readonly self: () => AnnouncedGateway;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly everySecond: EverySecond;
  readonly warn: (details: Readonly<Record<string, unknown>>, message: string) => void;
}

export interface RegistryHeartbeat {
  /** Says nothing more but that this gateway has ended, if the registry can be told. */
  end(): Promise<void>;
}

export const heartbeatMs = 10_000;

/**
 * Keeps this gateway known: now, with each heartbeat, and within a second when it begins or ceases to take sockets. What could
 * not be said is said again a second later; nobody waits for it.
 */
export const registryHeartbeat = ({
  registry,
  self,
  clock,
  everySecond,
  warn,
}: RegistryHeartbeatDeps): RegistryHeartbeat => {
  let said: { readonly gateway: AnnouncedGateway; readonly at: number } | undefined;
  let isFailing = false;
  let saying: Promise<void> | undefined;

  const isDue = ({ draining, notReady }: AnnouncedGateway): boolean =>
    said === undefined ||
    clock.monotonic() - said.at >= heartbeatMs ||
    said.gateway.draining !== draining ||
    said.gateway.notReady !== notReady;

  const say = async (gateway: AnnouncedGateway): Promise<void> => {
    const at = clock.monotonic();
    try {
      await registry.announce(gateway);
      said = { gateway, at };
      isFailing = false;
    } catch (error) {
      // Who forgot us, or never heard of us, is to be told as soon as it is back.
      said = undefined;
      if (!isFailing) warn({ err: error }, 'the registry of gateways cannot be told of this one');
      isFailing = true;
    }
    saying = undefined;
  };

  const beat = (): void => {
    const gateway = self();
    if (saying === undefined && isDue(gateway)) saying = say(gateway);
  };

  beat();
  const stop = everySecond(beat);
  return {
    async end() {
      stop();
      await saying;
      if (said === undefined) return;
      const { serverId } = said.gateway;
      await registry.withdraw(serverId).catch((error: unknown) => {
        warn({ err: error }, 'the registry of gateways was not told that this one ended: it will see');
      });
    },
  };
};
