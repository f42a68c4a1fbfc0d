import type { ParleyEvent } from './events.ts';
import { slotOf, type ConversationId, type UserId } from './ids.ts';
import { kindOf, subjectOf, type StreamName } from './streams.ts';

export const everySlot: readonly number[] = Array.from({ length: 64 }, (_, slot) => slot);

/**
 * The slots whose read models an event concerns: that of the stream's subject, and of whatever else it changes. A user's
 * chats lie in the slots of their conversations, so a block, which changes their unread counts, concerns all.
 */
export const slotsOf = (stream: StreamName, event: ParleyEvent): readonly number[] => {
  if (event.type === 'user-blocked' || event.type === 'user-unblocked' || event.type === 'user-erased')
    return everySlot;
  const kind = kindOf(stream);
  if (kind === 'reservation' || kind === 'audit' || kind === 'parley') return everySlot;
  if (event.type === 'chat-settings-changed') {
    return chatSettingsSlots(subjectOf(stream) as UserId, event.conversationId);
  }
  return [slotOf(subjectOf(stream) as ConversationId | UserId)];
};

export const chatSettingsSlots = (user: UserId, chat: ConversationId): readonly number[] => [
  ...new Set([slotOf(user), slotOf(chat)]),
];
