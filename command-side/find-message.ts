import type { Target } from '../domain/decide-conversation.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { ConversationEvent } from '../schemas/conversation-events.ts';
import type { RecordedEvent } from '../schemas/events.ts';
import type { ConversationId, Seq } from '../schemas/ids.ts';
import { conversationStream } from '../schemas/streams.ts';
import type { Tip } from './conversation-cache.ts';

const pageEvents = 32;

/** Those of a conversation's events that this process knows; `idTimeMax` is in every one of them and in no other. */
export const knownEvents = (page: readonly RecordedEvent[]): ConversationEvent[] =>
  page.flatMap(({ event }) => (event !== undefined && 'idTimeMax' in event ? event : []));

/**
 * The message `seq`, found in a logarithm of the stream's length of reads: every event says the conversation's seq after
 * it, and the message is the first event that says its own. Events that are no messages can only push it back, and
 * there are `tip.revision + 1 - tip.state.seq` of them: in most conversations a handful, so one read finds it.
 */
export const findMessage = async (
  eventLog: EventLog,
  id: ConversationId,
  { state, revision }: Tip,
  seq: Seq,
): Promise<Target | undefined> => {
  if (state === undefined || seq > state.seq) return undefined;
  const stream = conversationStream(id);
  // The message stands at a revision in [low, high].
  let low = seq;
  let high = Math.min(revision, revision - state.seq + seq);
  while (low <= high) {
    const middle = high - low < pageEvents ? low : (low + high) >>> 1;
    let from = middle;
    let known: ConversationEvent[] = [];
    while (known.length === 0 && from <= high) {
      const page = await eventLog.readStream(stream, from, 'forwards', Math.min(pageEvents, high - from + 1));
      known = knownEvents(page);
      from = (page.at(-1)?.revision ?? high) + 1;
    }
    const message = known.find((event) => event.type === 'message-sent' && event.seq === seq);
    if (message?.type === 'message-sent') return { author: message.by, contentType: message.content?.type };
    if ((known[0]?.seq ?? Infinity) >= seq) high = middle - 1;
    else low = from;
  }
  return undefined;
};
