import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ConversationEvent } from '../schemas/conversation-events.ts';
import type { RecordedEvent } from '../schemas/events.ts';
import type { UserId } from '../schemas/ids.ts';
import { defaultLimits } from '../schemas/limits.ts';
import { isConversationEvent } from './fold.ts';
import type { Conversation, Membership } from './conversation.ts';
import { decide, type ConversationCommand } from './decide-conversation.ts';
import { evolve } from './evolve-conversation.ts';
import { added, deleted, edited, idAt, left, mac, recorded, recordedAt, removed, sent, startedGroup } from './given.ts';
import { user, type Asking, type Happening } from './given.ts';
import { evolveMembership } from './membership.ts';
import { mayReceive, receivers } from './visibility.ts';

const [ann, bob, cy] = [user('ann'), user('bob'), user('cy')];

const eventOf = ({ event }: RecordedEvent): ConversationEvent => {
  if (event === undefined || !isConversationEvent(event)) throw new Error('not of a conversation');
  return event;
};

/** Each event with the membership after it: the last is the present one. */
const follow = (events: readonly RecordedEvent[]) => {
  let membership: Membership | undefined;
  return events.map((one) => {
    const event = eventOf(one);
    membership = evolveMembership(membership, event, one.revision);
    return { event, revision: one.revision, membership };
  });
};

/** The revisions a user receives live, and those that a resume from the beginning gives it in the end. */
const received = (who: UserId, ...happenings: readonly Happening[]) => {
  const steps = follow(recorded(...happenings));
  const present = steps.at(-1)?.membership;
  return {
    live: steps.filter((step) => receivers(step.membership, step.event, step.revision).includes(who)),
    resumed: steps.filter((step) => present !== undefined && mayReceive(present, who, step.event, step.revision)),
  };
};
const revisions = (steps: readonly { readonly revision: number }[]) => steps.map(({ revision }) => revision);

describe('I6: who receives an event', () => {
  test('a member receives everything, live and on a resume', () => {
    const { live, resumed } = received(
      bob,
      startedGroup(ann, bob),
      sent(ann),
      edited(ann, 1),
      deleted(ann, 1),
      added(ann, cy),
    );
    expect(revisions(live)).toEqual([0, 1, 2, 3, 4]);
    expect(revisions(resumed)).toEqual([0, 1, 2, 3, 4]);
  });

  test('who is added receives that and what comes after, but no change to an earlier message', () => {
    const late = [
      startedGroup(ann, bob),
      sent(ann),
      added(ann, cy),
      edited(ann, 1),
      sent(ann),
      edited(ann, 2),
      deleted(ann, 1),
    ];
    const { live, resumed } = received(cy, ...late);
    expect(revisions(live)).toEqual([2, 4, 5]);
    expect(revisions(resumed)).toEqual([2, 4, 5]);
  });

  test.each([
    ['is removed', removed(ann, bob)],
    ['leaves', left(bob)],
  ])('who %s learns that much and nothing more', (_, going) => {
    const { live, resumed } = received(bob, startedGroup(ann, bob), sent(ann), going, sent(ann), removed(ann, cy));
    expect(revisions(live)).toEqual([0, 1, 2]);
    expect(revisions(resumed)).toEqual([2]);
  });

  test('who comes back resumes with the present membership alone', () => {
    const back = [startedGroup(ann, bob), sent(ann), left(bob), sent(ann), added(ann, bob), sent(ann)];
    const { live, resumed } = received(bob, ...back);
    expect(revisions(live)).toEqual([0, 1, 2, 4, 5]);
    expect(revisions(resumed)).toEqual([4, 5]);
  });

  test('a stranger receives nothing', () => {
    const { live, resumed } = received(cy, startedGroup(ann, bob), sent(ann), removed(ann, bob), left(ann));
    expect(live).toEqual([]);
    expect(resumed).toEqual([]);
  });

  test('nobody is named twice', () => {
    for (const { membership, event, revision } of follow(
      recorded(startedGroup(ann, bob), left(bob), added(ann, bob)),
    )) {
      const all = receivers(membership, event, revision);
      expect(all).toEqual([...new Set(all)]);
    }
  });
});

/** A right told from the events alone: the stretches during which somebody was a member, their last event included. */
const rightsOf = (who: UserId, events: readonly RecordedEvent[]): ReadonlySet<number> => {
  const rights = new Set<number>();
  const hidden = new Set<number>();
  let member = false;
  for (const one of events) {
    const event = eventOf(one);
    const joins =
      (event.type === 'conversation-started' && event.members.some(({ userId }) => userId === who)) ||
      (event.type === 'member-added' && event.userId === who);
    if (joins) for (let seq = 1; seq <= event.seq; seq++) hidden.add(seq);
    member ||= joins;
    const changesHidden = 'target' in event && hidden.has(event.target);
    if (member && !changesHidden) rights.add(one.revision);
    if (event.type === 'member-removed' && event.userId === who) member = false;
    if (event.type === 'member-left' && event.by === who) member = false;
  }
  return rights;
};

test('M6: removing, sending and reading in any order: bob receives exactly what he had a right to', () => {
  const by = fc.constantFrom(ann, bob, cy);
  const text = { type: 'text', text: 'hi' } as const;
  const command: fc.Arbitrary<Asking> = fc.oneof(
    { weight: 4, arbitrary: by.map((one) => ({ type: 'send', by: one, content: text, replyTo: undefined }) as const) },
    { weight: 3, arbitrary: fc.constant({ type: 'remove-member', by: ann, user: bob } as const) },
    { weight: 4, arbitrary: fc.constant({ type: 'add-member', by: ann, user: bob } as const) },
    { weight: 1, arbitrary: fc.constant({ type: 'leave', by: bob } as const) },
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constantFrom('edit' as const, 'delete' as const),
        by,
        seq: fc.integer({ min: 1, max: 4 }),
        content: fc.constant(text),
        target: fc.constant(undefined),
      }),
    },
  );
  const reading = fc.record({ reads: fc.constant('log' as const), after: fc.nat(14) });
  const steps = fc.array(fc.oneof({ weight: 3, arbitrary: command }, { weight: 1, arbitrary: reading }), {
    minLength: 4,
    maxLength: 14,
    size: 'max',
  });

  fc.assert(
    fc.property(steps, (sequence) => {
      const log = [...recorded(startedGroup(ann, bob, cy), sent(ann))];
      let state: Conversation | undefined;
      for (const one of log) state = evolve(state, eventOf(one), one);
      let ids = 0;
      for (const step of sequence) {
        if ('reads' in step) {
          if (state !== undefined) checkReading(state, log, step.after);
          continue;
        }
        const decision = decide(state, targeted({ ...step, id: idAt(9_000_000, ids++), mac }, log), defaultLimits);
        if (decision.outcome !== 'events') continue;
        for (const event of decision.events) {
          const one = recordedAt(log.length, event);
          log.push(one);
          state = evolve(state, event, one);
        }
      }
      if (state !== undefined) checkReading(state, log, 0);

      const live = follow(log).filter((at) => receivers(at.membership, at.event, at.revision).includes(bob));
      const rights = rightsOf(bob, log);
      expect(revisions(live)).toEqual([...rights]);
      for (const one of log) if (eventOf(one).by === bob) expect(rights).toContain(one.revision);
    }),
    { numRuns: 10_000 },
  );
});

/** A resume of bob's at this moment, from a cursor after the first `after` events. */
const checkReading = (present: Membership, log: readonly RecordedEvent[], after: number): void => {
  const rights = rightsOf(bob, log);
  const since = present.members.get(bob)?.since;
  const gone = (event: ConversationEvent): boolean =>
    (event.type === 'member-removed' && event.userId === bob) || (event.type === 'member-left' && event.by === bob);
  const expected = log.slice(after).filter((one) => {
    return since === undefined ? gone(eventOf(one)) : one.revision >= since && rights.has(one.revision);
  });
  const resumed = log.slice(after).filter((one) => mayReceive(present, bob, eventOf(one), one.revision));
  expect(revisions(resumed)).toEqual(revisions(expected));
};

const targeted = (command: ConversationCommand, log: readonly RecordedEvent[]): ConversationCommand => {
  if (command.type !== 'edit' && command.type !== 'delete') return command;
  const sending = log.map(eventOf).find((event) => event.type === 'message-sent' && event.seq === command.seq);
  return { ...command, target: sending && { author: sending.by, contentType: 'text' } };
};
