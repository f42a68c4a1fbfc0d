import type { ConversationEvent } from '../schemas/conversation-events.ts';
import type { RecordedEvent } from '../schemas/events.ts';
import type { Conversation, Folded } from './conversation.ts';
import { withDeleted } from './deleted-messages.ts';
import { fold, isConversationEvent, type Blocked } from './fold.ts';
import { addId, emptyIdWindow, lastArrived, type IdWindow } from './id-window.ts';
import { evolveMembership } from './membership.ts';

/** What a stored event has beside what it says. */
export interface Recording {
  readonly revision: number;
  readonly time: number;
  /** Null while the event is only staged: the link comes with the append. */
  readonly link: string | null;
}

export const evolve = (
  before: Conversation | undefined,
  event: ConversationEvent,
  recording: Recording,
): Conversation => {
  const { kind, members, seq, namedAt } = evolveMembership(before, event, recording.revision);
  const window = windowAfter(before?.window ?? emptyIdWindow(), event, recording);
  const deleted = before?.deleted ?? [];
  return {
    kind,
    members,
    seq,
    namedAt,
    window,
    deleted: event.type === 'message-deleted' ? withDeleted(deleted, event.target) : deleted,
  };
};

/** A command's events stand side by side; the first is the command's answer. */
const windowAfter = (window: IdWindow, event: ConversationEvent, { time, link }: Recording): IdWindow =>
  lastArrived(window)?.id === event.commandId
    ? window
    : addId(window, {
        id: event.commandId,
        by: event.by,
        mac: event.mac,
        seq: event.type === 'message-sent' ? event.seq : undefined,
        time,
        chain: link ?? '',
      });

export const foldConversation = (
  from: Folded<Conversation>,
  events: readonly RecordedEvent[],
): Folded<Conversation> | Blocked => fold(from, events, isConversationEvent, evolve);
