import type { EventLog } from '../event-log/event-log.ts';
import { decide } from '../domain/decide-conversation.ts';
import { findId, type IdFound } from '../domain/id-window.ts';
import { reject, type Rejection } from '../schemas/errors.ts';
import type { CommandId, ConversationId, UserId } from '../schemas/ids.ts';
import type { Limits } from '../schemas/limits.ts';
import type { AccountsStore } from './accounts-store.ts';
import { acceptedAs, again, idReused, isSame, refused, unavailable } from './answers.ts';
import type { Clock } from './clock.ts';
import type { CommandAnswer } from './command-gateway.ts';
import type { ConversationCache, Tip } from './conversation-cache.ts';
import { findMessage } from './find-message.ts';
import type { KnownUsers } from './known-users.ts';
import type { IdLookUps } from './look-up-id.ts';
import { macOf } from './mac.ts';
import type { Pending } from './conversation-turn.ts';
import { timeAhead } from './plan-batch.ts';
import { usersBroughtIn, type CommandBody } from './resolve-command.ts';

/** A command before its turn: who wants what of which conversation. */
export interface Asked {
  readonly id: CommandId;
  readonly by: UserId;
  readonly conversationId: ConversationId;
  readonly body: CommandBody;
  readonly answer: (answer: CommandAnswer) => void;
}

export interface PrepareDeps {
  readonly eventLog: EventLog;
  readonly accounts: AccountsStore;
  readonly cache: ConversationCache;
  readonly users: KnownUsers;
  readonly lookUps: IdLookUps;
  readonly clock: Clock;
  readonly limits: Limits;
}

/** What a text takes in UTF-8, encrypted and in base64, is at most four bytes a UTF-16 unit. */
const bytesOf = (body: CommandBody): number => {
  if (body.type === 'create-group') return 1_024 + body.members.length * 64;
  const content = body.type === 'send' || body.type === 'edit' ? body.content : undefined;
  return 1_024 + (content?.type === 'text' ? content.text.length * 4 : 0);
};

const pendingOf = ({ id, by, conversationId, body, answer }: Asked, mac: string): Pending => ({
  by,
  conversationId,
  command: { ...body, id, by, mac },
  bytes: bytesOf(body),
  targetSearchedTo: 0,
  missedAt: undefined,
  userMissing: false,
  eventIds: [],
  answer,
});

const nothingToFindOut = ({ type }: CommandBody): boolean =>
  type === 'send' || type === 'rename' || type === 'leave' || type === 'remove-member' || type === 'change-role';

export interface PrepareCommand {
  /** Ready for its turn if all it takes is in memory. */
  now(asked: Asked): Pending | undefined;
  /** Finds out what it takes, outside the queue. An answer where that already is one. */
  slowly(asked: Asked): Promise<Pending | CommandAnswer>;
}

export const prepareCommand = (deps: PrepareDeps): PrepareCommand => {
  const { eventLog, accounts, cache, users, lookUps, clock, limits } = deps;

  /** The first answer to the id, `new`, or why that cannot be said. Duplicates come before every rule. */
  const seenBefore = async (
    { id, by, conversationId, body }: Asked,
    mac: string | undefined,
    tip: Tip,
  ): Promise<CommandAnswer | 'new' | { missedAt: number }> => {
    if (tip.state === undefined) return 'new';
    const { window } = tip.state;
    let found: IdFound | 'undecided' = findId(window, id);
    if (found === 'new') return 'new';
    if (found === 'unknown') {
      const lookUp = lookUps.find(by, conversationId, tip, id);
      if ('code' in lookUp) return refused(lookUp);
      found = await lookUp;
    }
    if (found === 'undecided') return refused(unavailable('the id is too old to be looked up now'));
    if (typeof found === 'string') return { missedAt: window.arrivals };
    return isSame(found.known, { by, mac })
      ? again(acceptedAs(conversationId, found.known, tip.position))
      : refused(idReused(body.type));
  };

  /** Why a conversation cannot be started, whoever it is with: known before anybody is looked up or a key is made. */
  const startRefused = ({ command }: Pending): Rejection | undefined => {
    const ahead = timeAhead(command.id, clock.now());
    if (ahead !== undefined) return ahead;
    const decision = decide(undefined, command, limits);
    return decision.outcome === 'rejected' ? decision.rejection : undefined;
  };

  const allRegistered = async (body: CommandBody): Promise<boolean> => {
    for (const user of usersBroughtIn(body)) if (!(await users.isRegistered(user))) return false;
    return true;
  };

  return {
    now(asked) {
      const { id, by, conversationId, body } = asked;
      const key = accounts.keyInMemory(`user:${by}`);
      if (key === undefined || !nothingToFindOut(body)) return undefined;
      const state = cache.get(conversationId)?.state;
      if (state === undefined || findId(state.window, id) === 'unknown') return undefined;
      return pendingOf(asked, macOf(key, id, body));
    },
    async slowly(asked) {
      const { id, by, conversationId, body } = asked;
      const key = await accounts.keyOf(`user:${by}`);
      const mac = key && macOf(key, id, body);
      const tip = await cache.load(conversationId);
      if ('blocked' in tip) return refused(unavailable(`this server does not know ${tip.blocked.type}`));
      const seen = await seenBefore(asked, mac, tip);
      if (typeof seen === 'object' && 'ok' in seen) return seen;
      if (mac === undefined) return refused(reject('unauthenticated', 'the account is gone'));
      const pending = { ...pendingOf(asked, mac), missedAt: seen === 'new' ? undefined : seen.missedAt };
      if (body.type === 'edit' || body.type === 'delete') {
        const target = await findMessage(eventLog, conversationId, tip, body.seq);
        return {
          ...pending,
          command: { ...body, id, by, mac, target },
          targetSearchedTo: tip.state?.seq ?? 0,
        };
      }
      const starts = (body.type === 'start-direct' || body.type === 'create-group') && tip.state === undefined;
      const refusal = starts ? startRefused(pending) : undefined;
      if (refusal !== undefined) return refused(refusal);
      if (!(await allRegistered(body))) return { ...pending, userMissing: true };
      if (starts) {
        // Durable before the first event that uses it.
        const outcome = await accounts.createKey(`conversation:${conversationId}`);
        if (outcome === 'destroyed') return refused(unavailable('the key of the conversation is gone'));
      }
      return pending;
    },
  };
};
