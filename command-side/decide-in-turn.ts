import { setTimeout as pause } from 'node:timers/promises';
import type { FirstAnswer } from '../domain/conversation.ts';
import { evolve } from '../domain/evolve-conversation.ts';
import type { AppendOutcome, EventLog } from '../event-log/event-log.ts';
import { reject, type Rejection } from '../schemas/errors.ts';
import { uuidV7, type ConversationId } from '../schemas/ids.ts';
import { conversationStream } from '../schemas/streams.ts';
import type { AccountsStore } from './accounts-store.ts';
import { acceptedAs, idReused, isSame, refused, unavailable } from './answers.ts';
import { appendUntilKnown } from './append-until-known.ts';
import type { ConversationCache, Tip } from './conversation-cache.ts';
import { findMessage } from './find-message.ts';
import { lookUpId } from './look-up-id.ts';
import { planBatch, type Pending, type Plan, type PlanDeps, type Verdict } from './plan-batch.ts';
import type { Warn } from './warn.ts';

export interface TurnDeps extends PlanDeps {
  readonly eventLog: EventLog;
  readonly accounts: AccountsStore;
  readonly cache: ConversationCache;
  readonly report: Warn;
}

type Refusal = Extract<AppendOutcome, { outcome: 'refused' }>['why'];
type Links = readonly (string | null)[];

/** What became of a plan. */
type Attempt =
  | { readonly so: 'done'; readonly links: Links; readonly tip: Tip }
  /** Somebody else wrote: decide on what is there now. */
  | { readonly so: 'overtaken' }
  /** Too much for one append, or one of several commands spoils it for all. */
  | { readonly so: 'divide' }
  | { readonly so: 'failed'; readonly rejection: Rejection };

const mostConflicts = 5;
const conflictPauseMs = 4;

/** The tip once the log holds the plan's events: folded with the revisions and links they were given. */
const tipAfter = (
  tip: Tip,
  { events, said }: Plan,
  { links, position }: AppendOutcome & { outcome: 'appended' },
): Tip => {
  let { state, revision, time } = tip;
  for (const [index, event] of said.entries()) {
    time = events[index]?.time ?? time;
    state = evolve(state, event, { revision: ++revision, time, link: links[index] ?? null });
  }
  return { state, revision, link: links.at(-1) ?? '', time, position, snapshotAt: tip.snapshotAt };
};

const firstAnswerOf = (
  verdict: Exclude<Verdict, { as: 'rejected' }>,
  plan: Plan,
  links: Links,
  tip: Tip,
): Pick<FirstAnswer, 'seq' | 'time' | 'chain'> => {
  switch (verdict.as) {
    case 'known':
      return verdict.first;
    case 'unchanged':
      return { seq: undefined, time: tip.time, chain: tip.link };
    case 'repeated': {
      const first = plan.verdicts[verdict.index];
      if (first?.as !== 'written') throw new Error('a command repeats one that was not written');
      return firstAnswerOf(first, plan, links, tip);
    }
    case 'written': {
      const said = plan.said[verdict.eventIndex];
      return {
        seq: said?.type === 'message-sent' ? said.seq : undefined,
        time: plan.events[verdict.eventIndex]?.time ?? tip.time,
        chain: links[verdict.eventIndex] ?? '',
      };
    }
    default:
      return verdict satisfies never;
  }
};

const settle = (batch: readonly Pending[], plan: Plan, links: Links, tip: Tip): void => {
  for (const [index, verdict] of plan.verdicts.entries()) {
    const pending = batch[index];
    if (pending === undefined) return;
    pending.answer(
      verdict.as === 'rejected'
        ? refused(verdict.rejection)
        : acceptedAs(pending.conversationId, firstAnswerOf(verdict, plan, links, tip), tip.position),
    );
  }
};

/** Nothing of the plan is known to be written; what the log held before it still answers. */
const settleFailed = (batch: readonly Pending[], plan: Plan, rejection: Rejection, tip: Tip): void => {
  for (const [index, verdict] of plan.verdicts.entries()) {
    const pending = batch[index];
    pending?.answer(
      verdict.as === 'known' ? acceptedAs(pending.conversationId, verdict.first, tip.position) : refused(rejection),
    );
  }
};

/** Decides and appends one conversation's commands in their order, and answers each when its fate is known. Never throws. */
export const decideInTurn = (deps: TurnDeps) => {
  const { eventLog, accounts, cache, clock, randomBytes, report } = deps;

  const rejectionFor = async (why: Refusal, writer: Pending | undefined): Promise<Rejection> => {
    switch (why) {
      case 'storage_full':
        return reject('storage_full', 'the log has no room; nothing was written');
      case 'too_large':
        return reject('too_large', 'the command is larger than the log takes');
      case 'closed':
        return unavailable('the log is closed');
      case 'key_missing':
        return writer !== undefined && (await accounts.keyOf(`user:${writer.command.by}`)) === undefined
          ? reject('unauthenticated', 'the account is gone')
          : unavailable('a key is missing');
      default:
        return why satisfies never;
    }
  };

  const readOn = async (id: ConversationId, tip: Tip): Promise<'same' | 'newer'> => {
    const newer = await cache.readOn(id, tip);
    if ('blocked' in newer) cache.drop(id);
    else if (newer.revision === tip.revision) return 'same';
    else cache.put(id, newer);
    return 'newer';
  };

  const append = async (id: ConversationId, tip: Tip, plan: Plan, batch: readonly Pending[]): Promise<Attempt> => {
    const outcome = await appendUntilKnown(eventLog, clock, conversationStream(id), plan.events, tip.revision);
    switch (outcome.outcome) {
      case 'appended': {
        const after = tipAfter(tip, plan, outcome);
        cache.put(id, after);
        return { so: 'done', links: outcome.links, tip: after };
      }
      case 'conflict':
        if (outcome.actualRevision < tip.revision) cache.drop(id);
        else await readOn(id, tip);
        return { so: 'overtaken' };
      case 'refused': {
        const writers = batch.filter((_, index) => plan.verdicts[index]?.as === 'written');
        const divisible = outcome.why === 'too_large' || outcome.why === 'key_missing';
        if (divisible && writers.length > 1) return { so: 'divide' };
        return { so: 'failed', rejection: await rejectionFor(outcome.why, writers[0]) };
      }
      case 'unknown':
        report({ err: outcome.cause, conversationId: id }, 'the fate of an append stayed unknown');
        cache.drop(id);
        return { so: 'failed', rejection: unavailable('the fate of the command is unknown') };
      default:
        return outcome satisfies never;
    }
  };

  /** What was not found out before the turn, or is no longer certain. False: that was already the answer. */
  const findOut = async (pending: Pending, tip: Tip, needs: NonNullable<Plan['needs']>): Promise<boolean> => {
    const { command, conversationId } = pending;
    if (needs === 'target') {
      if (command.type !== 'edit' && command.type !== 'delete') throw new Error(`${command.type} has no target`);
      pending.command = { ...command, target: await findMessage(eventLog, conversationId, tip, command.seq) };
      pending.targetSearchedTo = tip.state?.seq ?? 0;
      return true;
    }
    const found = await lookUpId(eventLog, conversationId, tip, command.id);
    if (found === 'new') {
      pending.missedAt = tip.state?.window.arrivals;
      return true;
    }
    if (found === 'undecided') pending.answer(refused(unavailable('the id is too old to be looked up now')));
    else if (isSame(found.known, command)) pending.answer(acceptedAs(conversationId, found.known, tip.position));
    else pending.answer(refused(idReused(command)));
    return false;
  };

  return async (id: ConversationId, batch: readonly Pending[]): Promise<void> => {
    let rest = batch;
    let most = batch.length;
    let conflicts = 0;
    try {
      while (rest.length > 0) {
        const [first] = rest;
        const tip = cache.get(id) ?? (await cache.load(id));
        if (first === undefined) return;
        if ('blocked' in tip) {
          const rejection = unavailable(`this server does not know ${tip.blocked.type} ${tip.blocked.schemaVersion}`);
          for (const { answer } of rest) answer(refused(rejection));
          return;
        }
        const plan = planBatch(tip, most < rest.length ? rest.slice(0, most) : rest, deps);
        if (plan.verdicts.length === 0 && plan.needs !== undefined) {
          if (!(await findOut(first, tip, plan.needs))) rest = rest.slice(1);
          continue;
        }
        let attempt: Attempt;
        if (plan.events.length > 0) attempt = await append(id, tip, plan, rest);
        // A stale state must never say "never".
        else if (eventLog.soleWriter || (await readOn(id, tip)) === 'same') attempt = { so: 'done', links: [], tip };
        else attempt = { so: 'overtaken' };

        if (attempt.so === 'overtaken' && ++conflicts <= mostConflicts) {
          await pause(((randomBytes(1)[0] ?? 0) / 255) * conflictPauseMs * 2 ** conflicts);
          continue;
        }
        if (attempt.so === 'divide') {
          most = Math.ceil(plan.verdicts.length / 2);
          continue;
        }
        if (attempt.so === 'done') settle(rest, plan, attempt.links, attempt.tip);
        else {
          const rejection = attempt.so === 'failed' ? attempt.rejection : unavailable('others write here too fast');
          settleFailed(rest, plan, rejection, tip);
        }
        rest = rest.slice(plan.verdicts.length);
        most = rest.length;
        conflicts = 0;
      }
    } catch (error) {
      const fault = uuidV7(clock.now(), randomBytes(10));
      report({ err: error, fault, conversationId: id }, 'commands failed');
      cache.drop(id);
      for (const { answer } of rest) answer(refused(reject('internal', `a fault of the server, ${fault} in its log`)));
    }
  };
};
