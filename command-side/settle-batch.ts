import type { LogPosition } from '../schemas/position.ts';
import type { Rejection } from '../schemas/errors.ts';
import { again, refused, type FirstAnswered } from './answers.ts';
import type { CommandAnswer } from './command-gateway.ts';
import type { Links, TurnItem } from './decide-in-turn.ts';
import type { Plan, Verdict } from './plan-batch.ts';
import type { StreamTip } from './stream-cache.ts';

const firstAnswerOf = (
  verdict: Exclude<Verdict, { as: 'rejected' }>,
  plan: Plan,
  links: Links,
  tip: StreamTip<unknown>,
): FirstAnswered => {
  switch (verdict.as) {
    case 'known':
      return verdict.first;
    case 'unchanged':
      return { time: tip.time, chain: tip.link };
    case 'repeated': {
      const first = plan.verdicts[verdict.index];
      if (first?.as !== 'written') throw new Error('a command repeats one that was not written');
      return firstAnswerOf(first, plan, links, tip);
    }
    case 'written': {
      const written = plan.events[verdict.eventIndex];
      return {
        seq: written?.event.type === 'message-sent' ? written.event.seq : undefined,
        time: written?.time ?? tip.time,
        chain: links[verdict.eventIndex] ?? '',
      };
    }
    default:
      return verdict satisfies never;
  }
};

/** A success in the words of the stream's commands. */
export type AnswerAs<Item> = (item: Item, first: FirstAnswered, position: LogPosition) => CommandAnswer;

export const settle = <Item extends TurnItem>(
  batch: readonly Item[],
  plan: Plan,
  links: Links,
  tip: StreamTip<unknown>,
  answerAs: AnswerAs<Item>,
): void => {
  for (const [index, verdict] of plan.verdicts.entries()) {
    const item = batch[index];
    if (item === undefined) return;
    if (verdict.as === 'rejected') {
      item.answer(refused(verdict.rejection));
      continue;
    }
    const answer = answerAs(item, firstAnswerOf(verdict, plan, links, tip), tip.position);
    item.answer(verdict.as === 'known' || verdict.as === 'repeated' ? again(answer) : answer);
  }
};

/** Nothing of the plan is known to be written; what the log held before it still answers. */
export const settleFailed = <Item extends TurnItem>(
  batch: readonly Item[],
  plan: Plan,
  rejection: Rejection,
  tip: StreamTip<unknown>,
  answerAs: AnswerAs<Item>,
): void => {
  for (const [index, verdict] of plan.verdicts.entries()) {
    const item = batch[index];
    item?.answer(verdict.as === 'known' ? again(answerAs(item, verdict.first, tip.position)) : refused(rejection));
  }
};
