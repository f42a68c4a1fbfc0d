import type { FastifyInstance } from 'fastify';
import type { Clock, RandomBytes } from '../command-side/clock.ts';
import { followErasures } from '../command-side/follow-erasures.ts';
import { randomPool } from '../command-side/random-pool.ts';
import type { Warn } from '../command-side/warn.ts';
import type { Configuration } from '../schemas/configuration.ts';
import type { Limits } from '../schemas/limits.ts';
import type { Metric } from '../schemas/metrics.ts';
import { serveHealth, type Readiness } from './health.ts';
import { httpServer } from './http-server.ts';
import { cassandraClusters, type CassandraClusters } from './open-cassandra.ts';
import { openStores, type Stores } from './open-stores.ts';
import { buildInfo, serveMetrics } from './serve-metrics.ts';
import { serveWait } from './start-wait.ts';

/** What every process has. */
export interface ServiceBase extends Stores {
  readonly server: FastifyInstance;
  readonly cassandra: CassandraClusters;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly limits: Limits;
  readonly report: Warn;
  readonly warn: Warn;
  /** Resolves when the process cannot go on. */
  readonly failed: Promise<Error>;
  /** `ok`, or why the log cannot be reached. */
  logState(): string;
  /** Serves health and metrics beside what was registered, and listens: from then on `stack` is unwound from there. */
  listen(shown: Shown): Promise<string>;
}

export interface Shown {
  readonly metrics: readonly Metric[];
  /** What keeps traffic away while it is not `ok`. */
  readonly readiness: Readiness;
  readonly readModels: Readiness;
  /** Servers that it needs, beside clusters. */
  readonly servers: Readiness;
}

/** The server of a process, which says what it waits for, and its stores; closed when `stack` is unwound. */
export const openServiceBase = async (
  configuration: Configuration,
  clock: Clock,
  stack: AsyncDisposableStack,
  stopping: AbortSignal,
): Promise<ServiceBase> => {
  const { host, port, limits, recentEvents, internalToken } = configuration;
  const server = httpServer(limits);
  const report = server.log.error.bind(server.log);
  const warn = server.log.warn.bind(server.log);
  const randomBytes = randomPool();

  const starting = serveWait(host, port, stopping);
  stack.defer(async () => {
    await starting.close();
  });
  const cassandra = cassandraClusters(warn, starting, stack);
  const stores = await openStores(
    configuration,
    { clock, randomBytes, warn, cassandra, starting, recentEvents },
    stack,
  );
  return {
    ...stores,
    server,
    cassandra,
    clock,
    randomBytes,
    limits,
    report,
    warn,
    failed: Promise.race([stores.eventLog.failed, stores.accounts.failed]),
    logState: () => stores.eventLog.away() ?? 'ok',
    async listen({ metrics, readiness, readModels, servers }) {
      serveMetrics(server, [...stores.metrics, ...metrics, buildInfo], internalToken);
      serveHealth(server, readiness, { readModels, servers: () => ({ ...servers(), ...cassandra.state() }) });
      stack.defer(() => server.close());
      return server.listen({ host, port: await starting.close() });
    },
  };
};

/** Has the process use no key any more of who was erased, whichever process destroys it, until `stack` is unwound. */
export const forgetErased = (base: ServiceBase, stack: AsyncDisposableStack): void => {
  const erasures = followErasures({ ...base, destroyed: () => undefined });
  stack.defer(() => erasures.close());
};
