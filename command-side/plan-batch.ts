import type { Decision } from '../domain/decide-conversation.ts';
import type { Recording } from '../domain/evolve-conversation.ts';
import { findId, holdsAllSince, type IdWindow } from '../domain/id-window.ts';
import { reject, type Rejection } from '../schemas/errors.ts';
import type { NewEvent, ParleyEvent } from '../schemas/events.ts';
import { newEventId, timeOfUuid, type CommandId, type EventId, type UserId } from '../schemas/ids.ts';
import { idTimeAheadMs } from '../schemas/limits.ts';
import { idReused, type FirstAnswered } from './answers.ts';
import type { Clock, RandomBytes } from './clock.ts';
import type { StreamTip } from './stream-cache.ts';
import type { TurnItem } from './decide-in-turn.ts';

interface Identified {
  readonly id: CommandId;
  readonly by: UserId;
  readonly type: string;
}

/** A command in the queue of its stream, with what was found out before. */
export interface Waiting<Command extends Identified> extends TurnItem {
  command: Command;
  /** The window's count of arrivals when a look-up did not find the id in the log. */
  missedAt: number | undefined;
  /** A user it names is not registered. */
  readonly userMissing: boolean;
  /** Made once, so that after a conflict the command's events keep their ids. */
  readonly eventIds: EventId[];
}

/** What the commands on one kind of stream have of their own. */
export interface CommandRules<State, First extends FirstAnswered & { readonly id: CommandId }, Item, Event> {
  windowOf(state: State): IdWindow<First>;
  isSame(first: First, item: Item): boolean;
  /** Whether something else has to be found out before the command can be decided. */
  needsTarget(item: Item, state: State): boolean;
  decide(state: State | undefined, item: Item): Decision<Event>;
  evolve(state: State | undefined, event: Event, recording: Recording): State;
}

export type Verdict =
  /** The id stands in the log. */
  | { readonly as: 'known'; readonly first: FirstAnswered }
  /** The id stands earlier in this batch: the answer of that one. */
  | { readonly as: 'repeated'; readonly index: number }
  /** Written by this batch, beginning with this one of its events. */
  | { readonly as: 'written'; readonly eventIndex: number }
  | { readonly as: 'unchanged' }
  | { readonly as: 'rejected'; readonly rejection: Rejection };

/** Commands decided one after another, each on the state after the one before. Nothing of it is true until appended. */
export interface Plan {
  /** Of the first so many commands. */
  readonly verdicts: readonly Verdict[];
  readonly events: readonly NewEvent[];
  /** What the first command without a verdict needs before it can be decided. */
  readonly needs: 'id-look-up' | 'target' | undefined;
}

const rejected = (rejection: Rejection): Verdict => ({ as: 'rejected', rejection });

/** A timer of a client must be able to hold it. */
const longestWaitMs = 3_600_000;

export const timeAhead = (id: CommandId, now: number): Rejection | undefined => {
  const ahead = timeOfUuid(id) - now - idTimeAheadMs;
  return ahead <= 0
    ? undefined
    : reject('id_time_ahead', 'the time in the id lies more than five minutes ahead of the server', {
        serverTime: now,
        retryAfterMs: Math.min(ahead, longestWaitMs),
      });
};

export const planBatch = <
  State,
  First extends FirstAnswered & { readonly id: CommandId },
  Item extends Waiting<Identified>,
  Event extends ParleyEvent,
>(
  tip: StreamTip<State>,
  batch: readonly Item[],
  rules: CommandRules<State, First, Item, Event>,
  { clock, randomBytes }: { readonly clock: Clock; readonly randomBytes: RandomBytes },
): Plan => {
  const now = clock.now();
  const verdicts: Verdict[] = [];
  const events: NewEvent[] = [];
  let { state } = tip;

  const write = ({ command: { id }, eventIds }: Item, decided: readonly Event[]): void => {
    for (const [index, event] of decided.entries()) {
      const ownId = (eventIds[index] ??= newEventId(now, randomBytes(10)));
      events.push({ eventId: ownId, time: now, causationId: id, correlationId: id, event });
    }
  };
  const stage = (decided: readonly Event[]): void => {
    let revision = tip.revision + events.length - decided.length;
    for (const event of decided) state = rules.evolve(state, event, { revision: ++revision, time: now, link: null });
  };

  /** Others of the same id may stand before it, refused. */
  const writtenAs = (id: CommandId): number =>
    verdicts.findIndex((verdict, index) => verdict.as === 'written' && batch[index]?.command.id === id);

  for (const [index, item] of batch.entries()) {
    const { command } = item;
    const window = state === undefined ? undefined : rules.windowOf(state);
    const found = window === undefined ? 'new' : findId(window, command.id);
    if (typeof found === 'object') {
      const { known } = found;
      if (!rules.isSame(known, item)) verdicts.push(rejected(idReused(command.type)));
      else if (known.chain !== '') verdicts.push({ as: 'known', first: known });
      else verdicts.push({ as: 'repeated', index: writtenAs(command.id) });
      continue;
    }
    if (state !== undefined && window !== undefined) {
      const missed = item.missedAt !== undefined && holdsAllSince(window, item.missedAt);
      if (found === 'unknown' && !missed) return { verdicts, events, needs: 'id-look-up' };
      if (rules.needsTarget(item, state)) return { verdicts, events, needs: 'target' };
    }
    const ahead = timeAhead(command.id, now);
    if (ahead !== undefined) {
      verdicts.push(rejected(ahead));
      continue;
    }
    const decision = rules.decide(state, item);
    if (decision.outcome === 'rejected') verdicts.push(rejected(decision.rejection));
    else if (decision.outcome === 'unchanged') verdicts.push({ as: 'unchanged' });
    else if (item.userMissing) verdicts.push(rejected(reject('user_not_found', 'no such user is registered')));
    else {
      verdicts.push({ as: 'written', eventIndex: events.length });
      write(item, decision.events);
      // The last one's state comes with the append itself.
      if (index + 1 < batch.length) stage(decision.events);
    }
  }
  return { verdicts, events, needs: undefined };
};
