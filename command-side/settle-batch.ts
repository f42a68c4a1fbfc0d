import type { LogPosition } from '../schemas/position.ts';
import type { Rejection } from '../schemas/errors.ts';
import { again, refused, type FirstAnswered } from './answers.ts';
import type { CommandAnswer } from './command-gateway.ts';
import type { Decided, Links, TurnItem } from './decide-in-turn.ts';
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

/** A batch as it was planned on `tip`; `findOut` finds out what the plan needs of its first item. */
export const planned = <Item extends TurnItem>(
  batch: readonly Item[],
  plan: Plan,
  tip: StreamTip<unknown>,
  answerAs: AnswerAs<Item>,
  findOut: (first: Item) => Promise<boolean>,
): Decided<Item> => ({
  count: plan.verdicts.length,
  events: plan.events,
  writers: () => batch.filter((_, index) => plan.verdicts[index]?.as === 'written'),
  settle: (links, after) => settle(batch, plan, links, after, answerAs),
  settleFailed: (rejection) => settleFailed(batch, plan, rejection, tip, answerAs),
  findOut: async () => batch[0] !== undefined && findOut(batch[0]),
});

const settle = <Item extends TurnItem>(
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
const settleFailed = <Item extends TurnItem>(
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
