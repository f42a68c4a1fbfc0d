import { receivers } from '../domain/visibility.ts';
import type { ConversationEvent } from '../schemas/conversation-events.ts';
import type { RecordedEvent } from '../schemas/events.ts';
import type { ConversationId, UserId } from '../schemas/ids.ts';
import type { ReceiptsEvent } from '../schemas/receipts-events.ts';
import type { FrameDelivery } from './bus.ts';
import { changeFrame, conversationFrame, isHideable, placeholderFrame, receiptsFrame } from './encode-frame.ts';
import { LazyFrame } from './lazy-frame.ts';
import type { KnownMembership } from './memberships.ts';

/** An event of a conversation with all who may receive it; `name` is the conversation's for those who are new to it. */
export const changeDelivery = (
  id: ConversationId,
  event: ConversationEvent,
  recorded: RecordedEvent,
  place: number,
  { state, revision }: KnownMembership,
  name: string | null,
): FrameDelivery => {
  // Encoded perhaps when the membership has gone on: it shows the one it was routed by.
  const whole = (begun: Beginning): LazyFrame =>
    new LazyFrame(() => conversationFrame(id, begun, recorded.time, { state, revision }, name));
  const common = {
    is: 'frame',
    place,
    time: recorded.time,
    receivers: receivers(state, event, recorded.revision),
  } as const;
  if (event.type === 'conversation-started') {
    const frame = whole(event);
    return { ...common, frame, whole: undefined, hidden: undefined, sent: undefined, left: undefined, alters: id };
  }
  return {
    ...common,
    frame: new LazyFrame(() => changeFrame(id, event, recorded)),
    whole: event.type === 'member-added' ? { isFor: event.userId, frame: whole(event) } : undefined,
    hidden: isHideable(event)
      ? { by: event.by, frame: new LazyFrame(() => placeholderFrame(id, event, recorded)) }
      : undefined,
    sent: event.type === 'message-sent' ? { by: event.by, messageId: event.commandId } : undefined,
    left: leftBy(event),
    alters: isOfMessage(event) ? undefined : id,
  };
};

const isOfMessage = ({ type }: ConversationEvent): boolean => type.startsWith('message-');

type Beginning = Extract<ConversationEvent, { type: 'conversation-started' | 'member-added' }>;

const leftBy = (event: ConversationEvent): UserId | undefined => {
  if (event.type === 'member-removed') return event.userId;
  return event.type === 'member-left' ? event.by : undefined;
};

export const marksDelivery = (
  id: ConversationId,
  marks: ReceiptsEvent['marks'],
  time: number,
  place: number,
  shownTo: readonly UserId[],
): FrameDelivery => ({
  is: 'frame',
  place,
  time,
  receivers: shownTo,
  frame: new LazyFrame(() => receiptsFrame(id, marks, time)),
  whole: undefined,
  hidden: undefined,
  sent: undefined,
  left: undefined,
  alters: undefined,
});
