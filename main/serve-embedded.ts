import type { Clock } from '../command-side/clock.ts';
import { commandSide } from '../command-side/command-side.ts';
import { randomPool } from '../command-side/random-pool.ts';
import { realtime } from '../realtime/realtime.ts';
import type { Configuration } from '../schemas/configuration.ts';
import { serveHealth } from './health.ts';
import { httpServer } from './http-server.ts';
import { openStores, type Stores } from './open-stores.ts';
import { tokenIssuer } from './token-issuer.ts';

export interface Serving extends Stores {
  /** Where it listens, with the port. */
  readonly address: string;
  /** Resolves when it cannot go on. */
  readonly failed: Promise<Error>;
}

/** Commands, sockets and health on one server over SQLite. Unwinding `stack` drains it, then closes what it opened. */
export const serveEmbedded = async (
  configuration: Configuration,
  clock: Clock,
  stack: AsyncDisposableStack,
): Promise<Serving> => {
  const { host, port, data, limits, allowedOrigins } = configuration;
  const server = httpServer(limits);
  const report = server.log.error.bind(server.log);
  const warn = server.log.warn.bind(server.log);
  const randomBytes = randomPool();

  const stores = await openStores(data, { clock, randomBytes, warn }, stack);
  const deps = { ...stores, clock, randomBytes, limits, report, warn };
  const commands = commandSide({ ...deps, issuer: tokenIssuer(configuration) });
  stack.defer(() => commands.close());
  await server.register(commands.plugin);

  const sockets = realtime({ ...deps, gateway: commands.gateway, signIn: commands.signIn, allowedOrigins });
  stack.defer(() => sockets.close());
  sockets.attach(server.server);
  serveHealth(server, () => ({ ...commands.ready().checks, sockets: sockets.notReady() ?? 'ok' }));

  stack.defer(() => server.close());
  stack.defer(() => sockets.drain());
  const failed = Promise.race([stores.eventLog.failed, stores.accounts.failed]);
  return { ...stores, address: await server.listen({ host, port }), failed };
};
