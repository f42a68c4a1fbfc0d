import { suspectAfterMs, type KnownGateway } from '../realtime/gateway-registry.ts';
import { mostServers } from '../schemas/servers.ts';

type Load = Pick<KnownGateway, 'connections' | 'capacity'>;

/** Of a gateway that does not say how many sockets it should have. */
const usualCapacity = 10_000;

const takesSockets = ({ draining, notReady, silentMs }: KnownGateway): boolean =>
  !draining && notReady === null && silentMs < suspectAfterMs;

const isFull = ({ connections, capacity }: Load): boolean => capacity !== null && connections >= capacity;

/** In tenths: of loads that hardly differ chance decides, or all clients of a dead server would go to the same next one. */
const loadOf = ({ connections, capacity }: Load): number =>
  Math.floor((connections * 10) / Math.max(1, capacity ?? usualCapacity));

/**
 * The gateways that take sockets, the one to try first in front: those with room, of these the ones in the region, of these
 * the ones with the least load. An address stands there once, however many processes share it.
 */
export const rankServers = (
  gateways: readonly KnownGateway[],
  region: string | undefined,
  chanceOf: (gateway: KnownGateway) => number,
): readonly KnownGateway[] => {
  const ranked = gateways
    .filter(takesSockets)
    .map((gateway) => ({
      gateway,
      key: [
        Number(isFull(gateway)),
        Number(region !== undefined && gateway.region !== region),
        loadOf(gateway),
        chanceOf(gateway),
      ],
    }))
    .sort((one, other) => compare(one.key, other.key));
  const byUrl = new Map<string, KnownGateway>();
  for (const { gateway } of ranked) if (!byUrl.has(gateway.url)) byUrl.set(gateway.url, gateway);
  return [...byUrl.values()].slice(0, mostServers);
};

/** By the first number in which they differ. */
const compare = (one: readonly number[], other: readonly number[]): number => {
  for (const [index, number] of one.entries()) {
    const difference = number - (other[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
};
