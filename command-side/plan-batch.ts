import type { Conversation, FirstAnswer } from '../domain/conversation.ts';
import { decide, type ConversationCommand } from '../domain/decide-conversation.ts';
import { evolve } from '../domain/evolve-conversation.ts';
import { findId, holdsAllSince } from '../domain/id-window.ts';
import type { ConversationEvent } from '../schemas/conversation-events.ts';
import { reject, type Rejection } from '../schemas/errors.ts';
import type { NewEvent } from '../schemas/events.ts';
import { newEventId, timeOfUuid, type ConversationId, type EventId, type Seq } from '../schemas/ids.ts';
import { idTimeAheadMs, type Limits } from '../schemas/limits.ts';
import { idReused, isSame } from './answers.ts';
import type { Clock, RandomBytes } from './clock.ts';
import type { CommandAnswer } from './command-gateway.ts';
import type { Tip } from './conversation-cache.ts';
import type { Queued } from './stream-queue.ts';

/** A command in the queue of its conversation, with what was found out before. */
export interface Pending extends Queued {
  readonly conversationId: ConversationId;
  command: ConversationCommand;
  /** Of an edit or a delete: `command.target` is right for messages up to this seq. */
  targetSearchedTo: Seq;
  /** The window's count of arrivals when a look-up did not find the id in the log. */
  missedAt: number | undefined;
  /** A user it names is not registered. */
  readonly userMissing: boolean;
  /** Made once, so that after a conflict the command's events keep their ids. */
  readonly eventIds: EventId[];
  readonly answer: (answer: CommandAnswer) => void;
}

export type Verdict =
  /** The id stands in the log. */
  | { readonly as: 'known'; readonly first: FirstAnswer }
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
  /** The same, as what they are. */
  readonly said: readonly ConversationEvent[];
  /** What the first command without a verdict needs before it can be decided. */
  readonly needs: 'id-look-up' | 'target' | undefined;
}

export interface PlanDeps {
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly limits: Limits;
}

const rejected = (rejection: Rejection): Verdict => ({ as: 'rejected', rejection });

const timeAhead = (id: string, now: number): Verdict | undefined => {
  const ahead = timeOfUuid(id) - now - idTimeAheadMs;
  return ahead <= 0
    ? undefined
    : rejected(
        reject('id_time_ahead', 'the time in the id lies more than five minutes ahead of the server', {
          serverTime: now,
          retryAfterMs: ahead,
        }),
      );
};

const needsTarget = ({ command, targetSearchedTo }: Pending, { seq }: Conversation): boolean =>
  (command.type === 'edit' || command.type === 'delete') &&
  command.target === undefined &&
  command.seq > targetSearchedTo &&
  command.seq <= seq;

export const planBatch = (tip: Tip, batch: readonly Pending[], { clock, randomBytes, limits }: PlanDeps): Plan => {
  const now = clock.now();
  const verdicts: Verdict[] = [];
  const events: NewEvent[] = [];
  const said: ConversationEvent[] = [];
  let { state } = tip;

  const write = ({ command: { id }, eventIds }: Pending, decided: readonly ConversationEvent[]): void => {
    for (const [index, event] of decided.entries()) {
      const ownId = (eventIds[index] ??= newEventId(now, randomBytes(10)));
      events.push({ eventId: ownId, time: now, causationId: id, correlationId: id, event });
      said.push(event);
    }
  };
  const stage = (decided: readonly ConversationEvent[]): void => {
    let revision = tip.revision + events.length - decided.length;
    for (const event of decided) state = evolve(state, event, { revision: ++revision, time: now, link: null });
  };

  for (const [index, pending] of batch.entries()) {
    const { command } = pending;
    const found = state === undefined ? 'new' : findId(state.window, command.id);
    if (typeof found === 'object') {
      const { known } = found;
      if (!isSame(known, command)) verdicts.push(rejected(idReused(command)));
      else if (known.chain !== '') verdicts.push({ as: 'known', first: known });
      else verdicts.push({ as: 'repeated', index: batch.findIndex((other) => other.command.id === command.id) });
      continue;
    }
    if (state !== undefined) {
      const { missedAt } = pending;
      const missed = missedAt !== undefined && holdsAllSince(state.window, missedAt);
      if (found === 'unknown' && !missed) return { verdicts, events, said, needs: 'id-look-up' };
      if (needsTarget(pending, state)) return { verdicts, events, said, needs: 'target' };
    }
    const ahead = timeAhead(command.id, now);
    if (ahead !== undefined) {
      verdicts.push(ahead);
      continue;
    }
    const decision = decide(state, command, limits);
    if (decision.outcome === 'rejected') verdicts.push(rejected(decision.rejection));
    else if (decision.outcome === 'unchanged') verdicts.push({ as: 'unchanged' });
    else if (pending.userMissing) verdicts.push(rejected(reject('user_not_found', 'no such user is registered')));
    else {
      verdicts.push({ as: 'written', eventIndex: events.length });
      write(pending, decision.events);
      // The last one's state comes with the append itself.
      if (index + 1 < batch.length) stage(decision.events);
    }
  }
  return { verdicts, events, said, needs: undefined };
};
