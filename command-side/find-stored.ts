import type { EventLog } from '../event-log/event-log.ts';
import type { Inbox } from '../projections/inbox.ts';
import type { RecordedEvent } from '../schemas/events.ts';
import type { CommandId, ConversationId } from '../schemas/ids.ts';
import { conversationStream } from '../schemas/streams.ts';
import type { Clock } from './clock.ts';
import type { Warn } from './warn.ts';

/** The read model that knows where every command stands. */
export type StoredCommands = Pick<Inbox, 'findCommand'>;

export interface FindStoredDeps {
  readonly eventLog: EventLog;
  readonly inbox: StoredCommands;
  readonly clock: Clock;
  readonly report: Warn;
}

/** What the store knows of an id: its event in the log, or up to which place it stands nowhere; 0 when the store is away. */
export type Stored = { readonly event: RecordedEvent } | { readonly absentUpTo: number };

export type FindStored = (conversation: ConversationId, id: CommandId) => Promise<Stored>;

/** Every command looked up while the store is away would say the same. */
const betweenReportsMs = 60_000;

export const findStored = ({ eventLog, inbox, clock, report }: FindStoredDeps): FindStored => {
  let quietUntil = -Infinity;
  const reportAway = (error: unknown): void => {
    if (clock.monotonic() < quietUntil) return;
    quietUntil = clock.monotonic() + betweenReportsMs;
    report({ err: error }, 'the inbox cannot be read: old commands are looked up in the log');
  };

  return async (conversation, id) => {
    const found = await inbox.findCommand(conversation, id).catch(reportAway);
    if (found === undefined) return { absentUpTo: 0 };
    if (found.revision === undefined) return { absentUpTo: found.safe };
    const [recorded] = await eventLog.readStream(conversationStream(conversation), found.revision, 'forwards', 1);
    // The log has the last word: a store that points elsewhere has said nothing.
    const stands = recorded?.event !== undefined && 'commandId' in recorded.event && recorded.event.commandId === id;
    return stands ? { event: recorded } : { absentUpTo: 0 };
  };
};
