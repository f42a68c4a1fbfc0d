import { LogAway, type EventLog } from '../event-log/event-log.ts';
import { AccountsAway, type AccountsStore } from './accounts-store.ts';
import { unavailable } from './answers.ts';
import type { Clock } from './clock.ts';
import type { SignedIn } from './command-side.ts';
import { knownUsers } from './known-users.ts';
import { signedInAs, tokenVerifier, type Issuer } from './tokens.ts';

export interface SignInApartDeps {
  readonly issuer: Issuer;
  readonly accounts: AccountsStore;
  readonly eventLog: EventLog;
  readonly clock: Clock;
  /** Of a command side, which registers who is not known yet. */
  readonly register: (token: string) => Promise<SignedIn>;
}

/**
 * Signs in where commands are carried out elsewhere: whoever is registered is known without asking there. Never throws for
 * what a token holds.
 */
export const signInApart = (deps: SignInApartDeps): ((token: string) => Promise<SignedIn>) => {
  const { issuer, accounts, clock, register } = deps;
  const users = knownUsers(deps);
  const verify = tokenVerifier(issuer, accounts.installKey, clock);

  return async (token) => {
    const verified = await verify(token);
    if (!verified.ok) return verified;
    const { userId } = verified.identity;
    try {
      if (await users.isRegistered(userId)) return signedInAs(verified.identity);
    } catch (error) {
      if (error instanceof LogAway || error instanceof AccountsAway)
        return { ok: false, rejection: unavailable(error.message) };
      throw error;
    }
    const registered = await register(token);
    if (registered.ok) users.add(userId);
    return registered;
  };
};
