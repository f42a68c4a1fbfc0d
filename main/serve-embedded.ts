import type { Clock } from '../command-side/clock.ts';
import { commandHandler } from '../command-side/handle-command.ts';
import { knownUsers } from '../command-side/known-users.ts';
import { randomPool } from '../command-side/random-pool.ts';
import { registerUser } from '../command-side/register-user.ts';
import { tokenVerifier } from '../command-side/tokens.ts';
import { realtime } from '../realtime/realtime.ts';
import type { Configuration } from '../schemas/configuration.ts';
import { serveHealth } from './health.ts';
import { httpServer } from './http-server.ts';
import { openStores, type Stores } from './open-stores.ts';
import { signInWith } from './sign-in-with.ts';
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
  const deps = { ...stores, users: knownUsers(stores), clock, randomBytes, limits, report, warn };
  const verify = tokenVerifier(tokenIssuer(configuration), stores.accounts.installKey, clock);
  const commands = commandHandler(deps);
  stack.defer(() => commands.drain());

  const signIn = signInWith(verify, registerUser(deps));
  const sockets = realtime({ ...deps, gateway: commands, signIn, allowedOrigins });
  stack.defer(() => sockets.close());
  sockets.attach(server.server);

  const failed = Promise.race([stores.eventLog.failed, stores.accounts.failed]);
  let failure: string | undefined;
  void failed.then((error) => (failure = error.message));
  serveHealth(server, { log: () => failure, sockets: () => sockets.notReady() });

  stack.defer(() => server.close());
  stack.defer(() => sockets.drain());
  return { ...stores, address: await server.listen({ host, port }), failed };
};
