import type { Membership } from '../domain/conversation.ts';
import { refuseMark, type Mark } from '../domain/receipts.ts';
import type { UserSettings } from '../domain/user-settings.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { ConversationId, UserId } from '../schemas/ids.ts';
import { refused, unavailable } from './answers.ts';
import type { CommandAnswer } from './command-gateway.ts';
import type { ConversationCache, Tip } from './conversation-cache.ts';
import type { PendingMark } from './receipts-turn.ts';
import type { StreamTip } from './stream-cache.ts';
import type { UserSettingsCache } from './user-settings-cache.ts';

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

const unknownHere = unavailable('this server does not know all of the conversation');

/** The other one of a one-to-one conversation. */
const peerOf = (conversation: Membership | undefined, user: UserId): UserId | undefined => {
  if (conversation?.kind !== 'direct') return undefined;
  for (const member of conversation.members.keys()) if (member !== user) return member;
  return undefined;
};

/** Whom one blocks must not be able to tell, so to it the user's marks stand still: it is answered and nothing is written. */
const unlessBlocked = (asked: AskedMark, { state }: StreamTip<UserSettings>, peer: UserId): PendingMark =>
  state?.blocked.has(peer) === true
    ? pendingOf({ ...asked, mark: { by: asked.mark.by, delivered: undefined, read: undefined } })
    : pendingOf(asked);

/**
 * A mark needs to know only who may see which messages, so it is judged by the conversation as it was a moment ago: what is
 * marked was seen, and leaving meanwhile takes nothing back.
 */
export const prepareMark = ({
  eventLog,
  conversations,
  settings,
}: {
  readonly eventLog: EventLog;
  readonly conversations: ConversationCache;
  readonly settings: UserSettingsCache;
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
      const peer = peerOf(tip.state, asked.mark.by);
      if (peer === undefined) return pendingOf(asked);
      const mine = settings.get(asked.mark.by);
      return mine && unlessBlocked(asked, mine, peer);
    },
    async slowly(asked) {
      const { conversationId, mark } = asked;
      const known = await conversations.load(conversationId);
      const tip = 'blocked' in known ? undefined : await newest(conversationId, known);
      if (tip === undefined) return refused(unknownHere);
      const rejection = refuseMark(tip.state, mark);
      if (rejection !== undefined) return refused(rejection);
      const peer = peerOf(tip.state, mark.by);
      if (peer === undefined) return pendingOf(asked);
      const mine = await settings.load(mark.by);
      return 'blocked' in mine ? refused(unknownHere) : unlessBlocked(asked, mine, peer);
    },
  };
};
