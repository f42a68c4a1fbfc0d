import type { ParleyEvent } from './events.ts';
import { slotOf, type ConversationId, type UserId } from './ids.ts';
import { kindOf, subjectOf, type StreamName } from './streams.ts';

const every: readonly number[] = Array.from({ length: 64 }, (_, slot) => slot);

/**
 * The slots whose read models an event concerns: that of the stream's subject, and of whatever else it changes. A user's
 * chats lie in the slots of their conversations, so a block, which changes their unread counts, concerns all.
 */
export const slotsOf = (stream: StreamName, event: ParleyEvent): readonly number[] => {
  if (event.type === 'user-blocked' || event.type === 'user-unblocked' || event.type === 'user-erased') return every;
  const kind = kindOf(stream);
  if (kind === 'reservation' || kind === 'audit' || kind === 'parley') return every;
  const own = slotOf(subjectOf(stream) as ConversationId | UserId);
  if (event.type !== 'chat-settings-changed') return [own];
  const chat = slotOf(event.conversationId);
  return chat === own ? [own] : [own, chat];
};
