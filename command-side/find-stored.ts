import type { EventLog } from '../event-log/event-log.ts';
import type { Inbox } from '../projections/inbox.ts';
import type { RecordedEvent } from '../schemas/events.ts';
import type { CommandId, ConversationId } from '../schemas/ids.ts';
import { conversationStream } from '../schemas/streams.ts';

/** The read model that knows where every command stands. */
export type StoredCommands = Pick<Inbox, 'findCommand'>;

export interface FindStoredDeps {
  readonly eventLog: EventLog;
  readonly inbox: StoredCommands;
}

/** What the store knows of an id: its event in the log, or up to which place it stands nowhere; 0 when the store is away. */
export type Stored = { readonly event: RecordedEvent } | { readonly absentUpTo: number };

export const findStored = async (
  { eventLog, inbox }: FindStoredDeps,
  conversation: ConversationId,
  id: CommandId,
): Promise<Stored> => {
  const found = await inbox.findCommand(conversation, id).catch(() => undefined);
  if (found === undefined) return { absentUpTo: 0 };
  if (found.revision === undefined) return { absentUpTo: found.safe };
  const [recorded] = await eventLog.readStream(conversationStream(conversation), found.revision, 'forwards', 1);
  // The log has the last word: a store that points elsewhere has said nothing.
  const stands = recorded?.event !== undefined && 'commandId' in recorded.event && recorded.event.commandId === id;
  return stands ? { event: recorded } : { absentUpTo: 0 };
};
