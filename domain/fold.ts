import type { ConversationEvent } from '../schemas/conversation-events.ts';
import { eventTypes, type ParleyEvent, type RecordedEvent } from '../schemas/events.ts';
import type { Folded } from './conversation.ts';

/** A critical event of a type or version unknown here: nobody may go on as if it had not been there. */
export interface Blocked {
  readonly blocked: { readonly type: string; readonly schemaVersion: number; readonly revision: number };
}

export const isConversationEvent = (event: ParleyEvent): event is ConversationEvent =>
  eventTypes[event.type].stream === 'conversation';

/** Folds events of a conversation's stream, which follow `from.revision` without a hole. */
export const fold = <State>(
  from: Folded<State>,
  events: readonly RecordedEvent[],
  evolve: (before: State | undefined, event: ConversationEvent, recorded: RecordedEvent) => State,
): Folded<State> | Blocked => {
  let { state, revision } = from;
  for (const recorded of events) {
    const { event } = recorded;
    if (event !== undefined && isConversationEvent(event)) state = evolve(state, event, recorded);
    else if (recorded.critical) {
      return {
        blocked: { type: recorded.type, schemaVersion: recorded.schemaVersion, revision: recorded.revision },
      };
    }
    revision = recorded.revision;
  }
  return { state, revision };
};
