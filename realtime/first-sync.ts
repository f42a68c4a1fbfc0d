import type { EventLog } from '../event-log/event-log.ts';
import { giveChats, type GiveChatsDeps } from './give-chats.ts';
import type { BehindInbox } from './give-missed.ts';
import { registrationOf } from './start-of.ts';

export interface FirstSyncDeps extends GiveChatsDeps {
  readonly eventLog: EventLog;
  readonly warn: (details: Readonly<Record<string, unknown>>, message: string) => void;
}

/**
 * Gives a device that holds nothing its chats, and answers with the place from which the log goes on. Where the inbox cannot
 * be read that is the user's registration: sockets need nothing but the log, which then tells everything there ever was.
 */
export const firstSync = async (
  after: number,
  session: BehindInbox,
  deps: FirstSyncDeps,
  signal: AbortSignal,
): Promise<number> => {
  const registered = await registrationOf(session.userId, deps.eventLog);
  signal.throwIfAborted();
  try {
    return Math.max(registered.place, await giveChats(after, session, deps, signal));
  } catch (error) {
    signal.throwIfAborted();
    deps.warn({ err: error }, 'the inbox cannot be read: new devices are served from the log');
    return registered.place;
  }
};
