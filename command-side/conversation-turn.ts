import { decide, type ConversationCommand } from '../domain/decide-conversation.ts';
import type { Conversation, FirstAnswer } from '../domain/conversation.ts';
import { evolve } from '../domain/evolve-conversation.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { ConversationEvent } from '../schemas/conversation-events.ts';
import type { ConversationId, Seq } from '../schemas/ids.ts';
import type { Limits } from '../schemas/limits.ts';
import { acceptedAs, again, idReused, isSame, refused, unavailable } from './answers.ts';
import type { Clock, RandomBytes } from './clock.ts';
import type { Tip } from './conversation-cache.ts';
import type { DecideItems } from './decide-in-turn.ts';
import { findMessage } from './find-message.ts';
import type { IdLookUps } from './look-up-id.ts';
import { planBatch, type CommandRules, type Waiting } from './plan-batch.ts';
import { planned, type AnswerAs } from './settle-batch.ts';

/** A command in the queue of its conversation. */
export interface Pending extends Waiting<ConversationCommand> {
  readonly conversationId: ConversationId;
  /** Of an edit or a delete: `command.target` is right for messages up to this seq. */
  targetSearchedTo: Seq;
}

export interface ConversationTurnDeps {
  readonly eventLog: EventLog;
  readonly lookUps: IdLookUps;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly limits: Limits;
}

const rulesOf = (limits: Limits): CommandRules<Conversation, FirstAnswer, Pending, ConversationEvent> => ({
  windowOf: ({ window }) => window,
  isSame: (first, { command }) => isSame(first, command),
  needsTarget: ({ command, targetSearchedTo }, { seq }) =>
    (command.type === 'edit' || command.type === 'delete') &&
    command.target === undefined &&
    command.seq > targetSearchedTo &&
    command.seq <= seq,
  decide: (state, { command }) => decide(state, command, limits),
  evolve,
});

const answerAs: AnswerAs<Pending> = ({ conversationId }, first, position) =>
  acceptedAs(conversationId, first, position);

export const conversationTurn = (deps: ConversationTurnDeps): DecideItems<ConversationId, Conversation, Pending> => {
  const { eventLog, lookUps, limits } = deps;
  const rules = rulesOf(limits);

  const findTarget = async (pending: Pending, tip: Tip): Promise<boolean> => {
    const { command, conversationId } = pending;
    if (command.type !== 'edit' && command.type !== 'delete') throw new Error(`${command.type} has no target`);
    pending.command = { ...command, target: await findMessage(eventLog, conversationId, tip, command.seq) };
    pending.targetSearchedTo = tip.state?.seq ?? 0;
    return true;
  };

  const findId = async (pending: Pending, tip: Tip): Promise<boolean> => {
    const { command, conversationId } = pending;
    const lookUp = lookUps.find(command.by, conversationId, tip, command.id);
    if ('code' in lookUp) {
      pending.answer(refused(lookUp));
      return false;
    }
    const found = await lookUp;
    if (found === 'new') {
      pending.missedAt = tip.state?.window.arrivals;
      return true;
    }
    if (found === 'undecided') pending.answer(refused(unavailable('the id is too old to be looked up now')));
    else if (isSame(found.known, command)) {
      pending.answer(again(acceptedAs(conversationId, found.known, tip.position)));
    } else pending.answer(refused(idReused(command.type)));
    return false;
  };

  return (_, tip, batch) => {
    const plan = planBatch(tip, batch, rules, deps);
    const findOut = plan.needs === 'target' ? findTarget : findId;
    return planned(batch, plan, tip, answerAs, (first) => findOut(first, tip));
  };
};
