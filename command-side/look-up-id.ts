import type { FirstAnswer } from '../domain/conversation.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { RecordedEvent } from '../schemas/events.ts';
import { timeOfUuid, type CommandId, type ConversationId } from '../schemas/ids.ts';
import { conversationStream } from '../schemas/streams.ts';

/** `undecided`: the id may stand further back than a look-up reads. */
export type LookedUp = { readonly known: FirstAnswer } | 'new' | 'undecided';

const pageEvents = 500;
const mostEvents = 50_000;

const firstAnswer = ({ event, time, link }: RecordedEvent, id: CommandId): FirstAnswer | undefined =>
  event !== undefined && 'idTimeMax' in event && event.commandId === id
    ? {
        id,
        by: event.by,
        mac: event.mac,
        seq: event.type === 'message-sent' ? event.seq : undefined,
        time,
        chain: link ?? '',
      }
    : undefined;

/**
 * Whether an id that the window no longer vouches for stands in the stream up to `revision`: reads backwards until no
 * id so far was as late as this one. No clock is in the proof, only the times in the ids.
 */
export const lookUpId = async (
  eventLog: EventLog,
  conversation: ConversationId,
  revision: number,
  id: CommandId,
): Promise<LookedUp> => {
  const stream = conversationStream(conversation);
  const idTime = timeOfUuid(id);
  let found: FirstAnswer | undefined;
  for (let read = 0, from = revision; read < mostEvents && from >= 0; read += pageEvents, from -= pageEvents) {
    for (const recorded of await eventLog.readStream(stream, from, 'backwards', Math.min(pageEvents, from + 1))) {
      const here = firstAnswer(recorded, id);
      // A command's events stand side by side, and its first one is its answer.
      if (here === undefined && found !== undefined) return { known: found };
      found = here ?? found;
      const { event } = recorded;
      if (event !== undefined && 'idTimeMax' in event && event.idTimeMax < idTime) return 'new';
    }
  }
  if (found !== undefined) return { known: found };
  return revision < mostEvents ? 'new' : 'undecided';
};
