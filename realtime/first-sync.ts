import { giveChats, type GiveChatsDeps } from './give-chats.ts';
import type { BehindInbox } from './give-missed.ts';

/**
 * Gives a device that holds nothing its chats, and answers with the place from which the log goes on. Where the inbox cannot
 * say it that is `place`, the user's registration: sockets need nothing but the log, which then tells everything there ever was.
 */
export const firstSync = async (
  { place, chatsAfter }: { readonly place: number; readonly chatsAfter: number },
  session: BehindInbox,
  deps: GiveChatsDeps,
  signal: AbortSignal,
): Promise<number> => {
  try {
    return Math.max(place, (await giveChats(chatsAfter, session, deps, signal)) ?? place);
  } catch (error) {
    signal.throwIfAborted();
    deps.warn({ err: error }, 'the inbox cannot be read: new devices are served from the log');
    return place;
  }
};
