import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensureDevelopmentSecret } from './development-secret.ts';
import { front, type FrontRole } from './front.ts';
import { loadConfiguration } from './load-configuration.ts';
import { freePort, supervise, type Supervised } from './supervised.ts';

interface Service {
  /** In main/. */
  readonly file: string;
  readonly count: number;
  readonly settings?: Readonly<Record<string, string>>;
}

const kinds = {
  'command-side': { file: 'command-side.ts', count: 2 },
  projections: { file: 'projections.ts', count: 1 },
  'query-api': { file: 'query-api.ts', count: 2 },
  router: { file: 'realtime.ts', count: 1, settings: { PARLEY_REALTIME: 'router' } },
  gateway: { file: 'realtime.ts', count: 2, settings: { PARLEY_REALTIME: 'gateway' } },
} satisfies Readonly<Record<string, Service>>;
type Role = keyof typeof kinds;
const roles = Object.entries(kinds) as [Role, Service][];

const host = '127.0.0.1';

/**
 * Starts every service as often as a small installation has it, and keeps it running, with one address before all of them.
 * Unwinding `stack` drains them, those first that others give work to.
 */
export const serveDistributed = async (
  environment: NodeJS.ProcessEnv,
  stack: AsyncDisposableStack,
): Promise<{ readonly address: string; readonly failed: Promise<Error> }> => {
  const { configuration } = loadConfiguration(environment);
  const { data, tokens, internalToken } = configuration;
  const ports = new Map<Role, readonly number[]>();
  const given = new Set<number>();
  for (const [role, { count }] of roles)
    ports.set(role, await Promise.all(Array.from({ length: count }, () => freePort(given))));
  const addressesOf = (role: Role): string => (ports.get(role) ?? []).map((port) => `http://${host}:${port}`).join(',');
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const isSigned = tokens.secret !== undefined || tokens.jwks !== undefined;
  const shared = {
    ...environment,
    ...(!isSigned && { PARLEY_TOKEN_SECRET: ensureDevelopmentSecret(data) }),
    ...(internalToken === undefined && { PARLEY_INTERNAL_TOKEN: randomBytes(32).toString('base64url') }),
    PARLEY_HOST: host,
    PARLEY_TRUSTED_PROXIES: host,
    PARLEY_COMMAND_SIDES: addressesOf('command-side'),
    PARLEY_ROUTERS: addressesOf('router'),
  };
  await promisify(execFile)(process.execPath, [join(import.meta.dirname, '../cli/parley.ts'), 'migrate'], {
    env: shared,
  });

  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const services = new Map<Role, readonly Supervised[]>();
  for (const [role, { file, count, settings }] of roles) {
    const started = (ports.get(role) ?? []).map((port, index) => {
      const name = count === 1 ? role : `${role} ${index + 1}`;
      return supervise({ name, file, port, environment: { ...shared, ...settings } }, say);
    });
    services.set(role, started);
    stack.defer(async () => {
      await Promise.all(started.map((service) => service.stop()));
    });
  }
  const failed = Promise.withResolvers<Error>();
  const all = [...services.values()].flat();
  await Promise.all(all.map(({ started }) => started));

  let turn = 0;
  const pick = (role: FrontRole): number | undefined => {
    const up = (services.get(role) ?? []).filter((service) => service.isUp());
    return up[turn++ % Math.max(up.length, 1)]?.port;
  };
  const server = front(pick).listen(configuration.port, configuration.host);
  await once(server, 'listening');
  server.on('error', failed.resolve);
  stack.defer(() => {
    // Sockets end with their gateways.
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { address: `http://${configuration.host}:${port}`, failed: failed.promise };
};
