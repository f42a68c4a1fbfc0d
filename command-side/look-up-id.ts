import type { FirstAnswer } from '../domain/conversation.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { RecordedEvent } from '../schemas/events.ts';
import type { Rejection } from '../schemas/errors.ts';
import { timeOfUuid, type CommandId, type ConversationId, type UserId } from '../schemas/ids.ts';
import { conversationStream, type StreamName } from '../schemas/streams.ts';
import { busy, rateLimited } from './answers.ts';
import type { Tip } from './conversation-cache.ts';
import { findStored, type FindStored, type FindStoredDeps } from './find-stored.ts';
import { gate } from './gate.ts';
import { leastRecentlyUsed } from './least-recently-used.ts';
import type { RateLimit } from './rate-limit.ts';

/** `undecided`: the id may stand further back than a look-up reads. */
export type LookedUp<First = FirstAnswer> = { readonly known: First } | 'new' | 'undecided';

export interface IdSearch<First> {
  readonly stream: StreamName;
  /** Where to begin: after it stand only events of ids that are known. */
  readonly from: number;
  answerIn(recorded: RecordedEvent): First | undefined;
  /** Whether no id up to this event can be the one sought. */
  endsAt(recorded: RecordedEvent): boolean;
}

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

/** Reads a stream backwards for the command that an id stands for. */
export const searchId = async <First>(eventLog: EventLog, search: IdSearch<First>): Promise<LookedUp<First>> => {
  let found: First | undefined;
  let { from } = search;
  for (let read = 0; read < mostEvents && from >= 0;) {
    const page = await eventLog.readStream(search.stream, from, 'backwards', Math.min(pageEvents, from + 1));
    for (const recorded of page) {
      const here = search.answerIn(recorded);
      // A command's events stand side by side, and its first one is its answer.
      if (here === undefined && found !== undefined) return { known: found };
      found = here ?? found;
      if (search.endsAt(recorded)) return found === undefined ? 'new' : { known: found };
    }
    read += page.length;
    from = (page.at(-1)?.revision ?? 0) - 1;
  }
  if (found !== undefined) return { known: found };
  return from < 0 ? 'new' : 'undecided';
};

/**
 * Whether an id that the window no longer vouches for stands in the conversation. The store of all ids answers up to its
 * safe place; what lies behind it, or all of it when the store is away, is read backwards until no id so far was as late
 * as this one. No clock is in the proof, only the times in the ids.
 */
export const lookUpId = async (
  eventLog: EventLog,
  find: FindStored,
  conversation: ConversationId,
  { state, revision }: Tip,
  id: CommandId,
): Promise<LookedUp> => {
  const stored = await find(conversation, id);
  const first = 'event' in stored ? firstAnswer(stored.event, id) : undefined;
  if (first !== undefined) return { known: first };
  const absentUpTo = 'absentUpTo' in stored ? stored.absentUpTo : 0;
  const isKnownAbsent = ({ position }: RecordedEvent): boolean => {
    const located = eventLog.locate(position);
    return located.where === 'known' && located.place <= absentUpTo;
  };
  const idTime = timeOfUuid(id);
  return searchId(eventLog, {
    stream: conversationStream(conversation),
    // The newest events are those of ids in the window, and this one is not there.
    from: revision - (state?.window.size ?? 0),
    answerIn: (recorded) => firstAnswer(recorded, id),
    endsAt: (recorded) => {
      const { event } = recorded;
      return isKnownAbsent(recorded) || (event !== undefined && 'idTimeMax' in event && event.idTimeMax < idTime);
    },
  });
};

export interface IdLookUps {
  /** At the expense of who asks. A rejection when that one asks too much, or too many wait already. */
  find(by: UserId, conversation: ConversationId, tip: Tip, id: CommandId): Promise<LookedUp> | Rejection;
}

export interface IdLookUpsDeps extends FindStoredDeps {
  readonly allowance: RateLimit;
}

/** Beside the one every command costs: a look-up reads up to thousands of events. */
export const lookUpCost = 10;

const atOnce = 4;
const mostWaiting = 100;
const mostRemembered = 10_000;

/** Look-ups for everybody: few at once, copies of one share its look-up, and what was found once is remembered. */
export const idLookUps = (deps: IdLookUpsDeps): IdLookUps => {
  const stored = findStored(deps);
  const places = gate(atOnce, mostWaiting);
  const found = leastRecentlyUsed<string, LookedUp>(mostRemembered);
  const underWay = new Map<string, Promise<LookedUp>>();

  return {
    find(by, conversation, tip, id) {
      const retryAfterMs = deps.allowance.take(by, lookUpCost);
      if (retryAfterMs !== undefined) return rateLimited('user', retryAfterMs);
      const key = conversation + id;
      const known = found.get(key);
      if (known !== undefined) return Promise.resolve(known);
      // One that began on an older tip says less than is asked.
      const shared = `${key} ${tip.revision}`;
      const begun = underWay.get(shared);
      if (begun !== undefined) return begun;
      const lookUp = places.enter(async () => {
        const lookedUp = await lookUpId(deps.eventLog, stored, conversation, tip, id);
        if (typeof lookedUp === 'object') found.set(key, lookedUp);
        return lookedUp;
      });
      if (lookUp === undefined) return busy('look-ups');
      const shareable = lookUp.finally(() => underWay.delete(shared));
      underWay.set(shared, shareable);
      return shareable;
    },
  };
};
