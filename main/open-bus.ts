import { createHmac } from 'node:crypto';
import type { AccountsStore } from '../command-side/accounts-store.ts';
import type { Clock, RandomBytes } from '../command-side/clock.ts';
import type { Warn } from '../command-side/warn.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { Bus } from '../realtime/bus.ts';
import { memoryBus } from '../realtime/memory-bus.ts';
import { memoryPresenceLeases } from '../realtime/memory-presence-leases.ts';
import type { PresenceLeases } from '../realtime/presence-leases.ts';
import { Counter, gauge, type Metric } from '../schemas/metrics.ts';
import { ConfigurationUnusable } from './load-configuration.ts';

export interface BusDeps {
  readonly eventLog: EventLog;
  readonly accounts: AccountsStore;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly warn: Warn;
  readonly leaseMs: number;
}

export interface OpenBus {
  readonly bus: Bus;
  readonly leases: PresenceLeases;
  /** The servers it needs, each `ok` or why it is not. */
  readonly state: () => Readonly<Record<string, string>>;
  readonly metrics: readonly Metric[];
}

/** The bus and the presence leases, by the URL of PARLEY_BUS. A Redis that is away is waited for, not by the start. */
export const openBus = async (url: string, deps: BusDeps, stack: AsyncDisposableStack): Promise<OpenBus> => {
  const { clock, randomBytes, warn, leaseMs } = deps;
  const report = (error: unknown): void => warn({ err: error }, 'a batch could not be delivered');
  if (url === 'memory:') {
    return { bus: memoryBus(report), leases: memoryPresenceLeases(leaseMs, clock), state: () => ({}), metrics: [] };
  }
  const [{ openRedis, RedisUnusable }, { redisBus }, { redisPresenceLeases }] = await Promise.all([
    import('../realtime/redis-connection.ts'),
    import('../realtime/redis-bus.ts'),
    import('../realtime/redis-presence-leases.ts'),
  ]);
  const redis = await openRedis(url, warn).catch((error: unknown) => {
    throw error instanceof RedisUnusable ? new ConfigurationUnusable(`PARLEY_BUS: ${error.message}`) : error;
  });
  stack.defer(() => redis.close());
  const namespace = namespaceOf(deps);
  const drops = new Counter('parley_bus_dropped_total');
  const dropped = (): void => drops.add();
  const bus = redisBus({ redis, channel: `${namespace}:bus`, origin: Buffer.from(randomBytes(8)), dropped, report });
  stack.defer(() => bus.close());
  const away = (): string | undefined => redis.away() ?? bus.deaf();
  return {
    bus,
    leases: redisPresenceLeases(redis, `${namespace}:presence`, leaseMs),
    state: () => ({ bus: away() ?? 'ok' }),
    metrics: [drops, gauge('parley_bus_connected', () => [[[], away() === undefined ? 1 : 0]])],
  };
};

/**
 * Of this installation and this log: another one on the same Redis, also one that was restored from a backup of this, is
 * never heard for it. The install key itself is a secret.
 */
const namespaceOf = ({ accounts, eventLog }: BusDeps): string =>
  `parley:${createHmac('sha256', accounts.installKey).update(`bus ${eventLog.head().log}`).digest('base64url').slice(0, 22)}`;
