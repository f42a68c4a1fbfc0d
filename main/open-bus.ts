import { createHmac } from 'node:crypto';
import type { AccountsStore } from '../command-side/accounts-store.ts';
import type { Clock, RandomBytes } from '../command-side/clock.ts';
import { localRateLimits, type NewRateLimit } from '../command-side/rate-limit.ts';
import type { Warn } from '../command-side/warn.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { Bus } from '../realtime/bus.ts';
import type { GatewayRegistry } from '../realtime/gateway-registry.ts';
import { memoryBus } from '../realtime/memory-bus.ts';
import { memoryGatewayRegistry } from '../realtime/memory-gateway-registry.ts';
import { memoryPresenceLeases } from '../realtime/memory-presence-leases.ts';
import type { PresenceLeases } from '../realtime/presence-leases.ts';
import { Counter, gauge, type Metric } from '../schemas/metrics.ts';
import { ConfigurationUnusable } from './load-configuration.ts';

export interface SharedDeps {
  readonly eventLog: EventLog;
  readonly accounts: AccountsStore;
  readonly clock: Clock;
  readonly warn: Warn;
}

/** What processes keep together that may be lost. */
export interface OpenShared {
  readonly registry: GatewayRegistry;
  readonly newRateLimit: NewRateLimit;
  /** The servers it needs, each `ok` or why it is not. */
  readonly state: () => Readonly<Record<string, string>>;
  readonly metrics: readonly Metric[];
}

export interface BusDeps extends SharedDeps {
  readonly randomBytes: RandomBytes;
  readonly leaseMs: number;
}

export interface OpenBus extends OpenShared {
  readonly bus: Bus;
  readonly leases: PresenceLeases;
}

const memory = 'memory:';
const nothing = { state: () => ({}), metrics: [] } as const;

/**
 * The registry of gateways and the limits of users, by the URL of PARLEY_BUS, for a process that hears nothing on the bus. A
 * Redis that is away is waited for, not by the start.
 */
export const openShared = async (url: string, deps: SharedDeps, stack: AsyncDisposableStack): Promise<OpenShared> => {
  if (url === memory) return { ...sharedHere(deps.clock), ...nothing };
  const { redis, shared, unsettled } = await openSharedRedis(url, deps, stack);
  const state = () => ({ bus: redis.away() ?? 'ok' });
  return { ...shared, state, metrics: [unsettled, connected(() => redis.away())] };
};

/** The bus and the presence leases beside them. */
export const openBus = async (url: string, deps: BusDeps, stack: AsyncDisposableStack): Promise<OpenBus> => {
  const { clock, randomBytes, warn, leaseMs } = deps;
  const report = (error: unknown): void => warn({ err: error }, 'a batch could not be delivered');
  if (url === memory) {
    return { ...sharedHere(clock), ...nothing, bus: memoryBus(report), leases: memoryPresenceLeases(leaseMs, clock) };
  }
  const { redis, shared, unsettled, namespace } = await openSharedRedis(url, deps, stack);
  const [{ redisBus }, { redisPresenceLeases }] = await Promise.all([
    import('../realtime/redis-bus.ts'),
    import('../realtime/redis-presence-leases.ts'),
  ]);
  const drops = new Counter('parley_bus_dropped_total');
  const dropped = (): void => drops.add();
  const bus = redisBus({ redis, channel: `${namespace}:bus`, origin: Buffer.from(randomBytes(8)), dropped, report });
  stack.defer(() => bus.close());
  const away = (): string | undefined => redis.away() ?? bus.deaf();
  return {
    ...shared,
    bus,
    leases: redisPresenceLeases(redis, `${namespace}:presence`, leaseMs),
    state: () => ({ bus: away() ?? 'ok' }),
    metrics: [drops, unsettled, connected(away)],
  };
};

const connected = (away: () => string | undefined): Metric =>
  gauge('parley_bus_connected', () => [[[], away() === undefined ? 1 : 0]]);

const sharedHere = (clock: Clock): Pick<OpenShared, 'registry' | 'newRateLimit'> => ({
  registry: memoryGatewayRegistry(clock),
  newRateLimit: localRateLimits(clock),
});

const openSharedRedis = async (url: string, deps: SharedDeps, stack: AsyncDisposableStack) => {
  const { clock, warn } = deps;
  const [{ openRedis, RedisUnusable }, { redisGatewayRegistry }, { afterATenth, redisRateLimits }] = await Promise.all([
    import('../realtime/redis-connection.ts'),
    import('../realtime/redis-gateway-registry.ts'),
    import('../command-side/redis-rate-limit.ts'),
  ]);
  const redis = await openRedis(url, warn).catch((error: unknown) => {
    throw error instanceof RedisUnusable ? new ConfigurationUnusable(`PARLEY_BUS: ${error.message}`) : error;
  });
  stack.defer(() => redis.close());
  const namespace = namespaceOf(deps);
  const counted = new Counter('parley_rate_limits_unsettled_total');
  let said: string | undefined;
  const unsettled = (error: unknown): void => {
    counted.add();
    // That it is away is said already, and what is wrong otherwise is wrong ten times a second.
    if (redis.away() !== undefined || String(error) === said) return;
    said = String(error);
    warn({ err: error }, 'what users took of their limits could not be settled');
  };
  const limits = { redis, namespace: `${namespace}:limits`, clock, later: afterATenth, unsettled };
  const registry = redisGatewayRegistry(redis, `${namespace}:gateways`);
  return { redis, namespace, unsettled: counted, shared: { registry, newRateLimit: redisRateLimits(limits) } };
};

/**
 * Of this installation and this log: another one on the same Redis, also one that was restored from a backup of this, is
 * never heard for it. The install key itself is a secret.
 */
const namespaceOf = ({ accounts, eventLog }: SharedDeps): string =>
  `parley:${createHmac('sha256', accounts.installKey).update(`bus ${eventLog.head().log}`).digest('base64url').slice(0, 22)}`;
