import type { EventLog } from '../event-log/event-log.ts';
import type { UserId } from '../schemas/ids.ts';
import { userStream } from '../schemas/streams.ts';
import type { AccountsStore } from './accounts-store.ts';
import { leastRecentlyUsed } from './least-recently-used.ts';

export interface KnownUsers {
  /** Whether the user is registered and was not erased. */
  isRegistered(user: UserId): Promise<boolean>;
  /** The log is known to hold the user's registration. */
  add(user: UserId): void;
}

/** Only those who are registered are remembered: the others may register at any moment. */
export const knownUsers = (
  { eventLog, accounts }: { readonly eventLog: EventLog; readonly accounts: AccountsStore },
  most = 200_000,
): KnownUsers => {
  const registered = leastRecentlyUsed<UserId, true>(most);
  const stands = async (user: UserId): Promise<boolean> => {
    if (registered.get(user) !== undefined) return true;
    const [first] = await eventLog.readStream(userStream(user), 0, 'forwards', 1);
    if (first === undefined) return false;
    registered.set(user, true);
    return true;
  };
  return {
    isRegistered: async (user) => (await stands(user)) && (await accounts.keyOf(`user:${user}`)) !== undefined,
    add: (user) => void registered.set(user, true),
  };
};
