import type { FastifyPluginAsync } from 'fastify';
import type { EventLog } from '../event-log/event-log.ts';
import type { Rejection } from '../schemas/errors.ts';
import type { Limits } from '../schemas/limits.ts';
import type { Metric } from '../schemas/metrics.ts';
import type { AccountsStore } from './accounts-store.ts';
import type { Clock, RandomBytes } from './clock.ts';
import type { Caller, CommandGateway } from './command-gateway.ts';
import type { StoredCommands } from './find-stored.ts';
import { commandHandler } from './handle-command.ts';
import { knownUsers } from './known-users.ts';
import type { PresenceGateway } from './presence-gateway.ts';
import type { NewRateLimit } from './rate-limit.ts';
import { registerUser } from './register-user.ts';
import { restWrites } from './rest-writes.ts';
import type { SnapshotStore } from './snapshot-store.ts';
import { signedInAs, tokenVerifier, type Issuer } from './tokens.ts';
import type { Warn } from './warn.ts';

export interface CommandSideDeps {
  readonly eventLog: EventLog;
  readonly accounts: AccountsStore;
  readonly snapshots: SnapshotStore;
  readonly inbox: StoredCommands;
  readonly issuer: Issuer;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly limits: Limits;
  /** Unless given, this process keeps limits by itself. */
  readonly newRateLimit?: NewRateLimit;
  /** Where faults of the server go. */
  readonly report: Warn;
}

export type SignedIn =
  | { readonly ok: true; readonly caller: Caller; readonly expiresAt: number }
  | { readonly ok: false; readonly rejection: Rejection };

export interface CommandSide {
  /** Every command over REST. */
  readonly plugin: FastifyPluginAsync;
  readonly gateway: CommandGateway;
  readonly presence: PresenceGateway;
  readonly metrics: readonly Metric[];
  /** Verifies a token and registers its user at the first handshake. */
  readonly signIn: (token: string) => Promise<SignedIn>;
  readonly ready: () => { readonly ok: boolean; readonly checks: Readonly<Record<string, string>> };
  /** Refuses new commands and resolves when those under way have their answers. Closes nothing: the stores are its caller's. */
  readonly close: () => Promise<void>;
}

/** The only writer of the log. */
export const commandSide = (deps: CommandSideDeps): CommandSide => {
  const { eventLog, accounts, issuer, clock } = deps;
  const users = knownUsers(deps);
  const handler = commandHandler({ ...deps, users });
  const verify = tokenVerifier(issuer, accounts.installKey, clock);
  const register = registerUser({ ...deps, users });
  const checks = { log: 'ok', accounts: 'ok', commands: 'ok' };
  void eventLog.failed.then(({ message }) => (checks.log = message));
  void accounts.failed.then(({ message }) => (checks.accounts = message));

  const signIn = async (token: string): Promise<SignedIn> => {
    const verified = await verify(token);
    if (!verified.ok) return verified;
    const rejection = await register(verified.identity);
    return rejection === undefined ? signedInAs(verified.identity) : { ok: false, rejection };
  };

  return {
    plugin: restWrites({ ...deps, gateway: handler, authenticate: signIn }),
    gateway: handler,
    presence: handler.presence,
    metrics: handler.metrics,
    signIn,
    ready: () => ({ ok: Object.values(checks).every((state) => state === 'ok'), checks }),
    close() {
      checks.commands = 'draining';
      return handler.drain();
    },
  };
};
