import { refuseMark, type Mark } from '../domain/receipts.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { ConversationId } from '../schemas/ids.ts';
import { refused, unavailable } from './answers.ts';
import type { CommandAnswer } from './command-gateway.ts';
import type { ConversationCache, Tip } from './conversation-cache.ts';
import type { PendingMark } from './receipts-turn.ts';

/** A mark before its turn. */
export interface AskedMark {
  readonly conversationId: ConversationId;
  readonly mark: Mark;
  readonly answer: (answer: CommandAnswer) => void;
}

export interface PrepareMark {
  /** Ready for its turn if the conversation is in memory and allows it. */
  now(asked: AskedMark): PendingMark | undefined;
  slowly(asked: AskedMark): Promise<PendingMark | CommandAnswer>;
}

/** What a user's marks take in an event. */
const markBytes = 64;

const pendingOf = ({ mark, answer }: AskedMark): PendingMark => ({ by: mark.by, mark, bytes: markBytes, answer });

/**
 * A mark needs to know only who may see which messages, so it is judged by the conversation as it was a moment ago: what is
 * marked was seen, and leaving meanwhile takes nothing back.
 */
export const prepareMark = ({
  eventLog,
  conversations,
}: {
  readonly eventLog: EventLog;
  readonly conversations: ConversationCache;
}): PrepareMark => {
  /** A stale state must never say "never". */
  const newest = async (id: ConversationId, tip: Tip): Promise<Tip | undefined> => {
    if (eventLog.soleWriter) return tip;
    const newer = await conversations.readOn(id, tip);
    if ('blocked' in newer) return undefined;
    if (newer.revision > tip.revision) conversations.put(id, newer);
    return newer;
  };

  return {
    now(asked) {
      const tip = conversations.get(asked.conversationId);
      if (tip === undefined || refuseMark(tip.state, asked.mark) !== undefined) return undefined;
      return pendingOf(asked);
    },
    async slowly(asked) {
      const { conversationId, mark } = asked;
      const known = await conversations.load(conversationId);
      const tip = 'blocked' in known ? undefined : await newest(conversationId, known);
      if (tip === undefined) return refused(unavailable('this server does not know all of the conversation'));
      const rejection = refuseMark(tip.state, mark);
      return rejection === undefined ? pendingOf(asked) : refused(rejection);
    },
  };
};
