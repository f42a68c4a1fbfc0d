import type { EverySecond } from './every-second.ts';
import type { GatewayRegistry, GatewaysSeen } from './gateway-registry.ts';

export interface RegistryViewDeps {
  readonly registry: GatewayRegistry;
  readonly everySecond: EverySecond;
  readonly warn: (details: Readonly<Record<string, unknown>>, message: string) => void;
}

export interface RegistryView {
  /** At most a second old, unless it says that it is stale. */
  readonly seen: () => GatewaysSeen;
  close(): void;
}

/**
 * The gateways at hand, without asking anybody. While the registry does not answer they are those of its last answer: wrong
 * about one or two, which whoever tries them finds out, is better than none.
 */
export const registryView = ({ registry, everySecond, warn }: RegistryViewDeps): RegistryView => {
  let seen: GatewaysSeen = { gateways: [], isStale: true };
  let isFailing = false;
  let isAsking = false;

  const ask = async (): Promise<void> => {
    isAsking = true;
    try {
      seen = { gateways: await registry.list(), isStale: false };
      isFailing = false;
    } catch (error) {
      seen = { ...seen, isStale: true };
      if (!isFailing) warn({ err: error }, 'the registry of gateways does not answer: its last answer stands');
      isFailing = true;
    }
    isAsking = false;
  };
  const askUnlessAsking = (): void => {
    if (!isAsking) void ask();
  };

  askUnlessAsking();
  const close = everySecond(askUnlessAsking);
  return { seen: () => seen, close };
};
