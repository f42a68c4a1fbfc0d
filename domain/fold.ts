import type { ConversationEvent } from '../schemas/conversation-events.ts';
import { eventTypes, type ParleyEvent, type RecordedEvent } from '../schemas/events.ts';
import type { PresenceEvent } from '../schemas/presence-events.ts';
import type { ReceiptsEvent } from '../schemas/receipts-events.ts';
import type { UserEvent } from '../schemas/user-events.ts';
import type { Folded } from './conversation.ts';

/** A critical event of a type or version unknown here: nobody may go on as if it had not been there. */
export interface Blocked {
  readonly blocked: { readonly type: string; readonly schemaVersion: number; readonly revision: number };
}

export const isConversationEvent = (event: ParleyEvent): event is ConversationEvent =>
  eventTypes[event.type].stream === 'conversation';
export const isReceiptsEvent = (event: ParleyEvent): event is ReceiptsEvent =>
  eventTypes[event.type].stream === 'receipts';
export const isPresenceEvent = (event: ParleyEvent): event is PresenceEvent =>
  eventTypes[event.type].stream === 'presence';
export const isUserEvent = (event: ParleyEvent): event is UserEvent => eventTypes[event.type].stream === 'user';

/** Folds events of one stream, which follow `from.revision` without a hole. */
export const fold = <State, Event extends ParleyEvent>(
  from: Folded<State>,
  events: readonly RecordedEvent[],
  isOfStream: (event: ParleyEvent) => event is Event,
  evolve: (before: State | undefined, event: Event, recorded: RecordedEvent) => State,
): Folded<State> | Blocked => {
  let { state, revision } = from;
  for (const recorded of events) {
    const { event } = recorded;
    if (event !== undefined && isOfStream(event)) state = evolve(state, event, recorded);
    else if (recorded.critical) {
      return {
        blocked: { type: recorded.type, schemaVersion: recorded.schemaVersion, revision: recorded.revision },
      };
    }
    revision = recorded.revision;
  }
  return { state, revision };
};
