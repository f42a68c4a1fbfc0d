import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RecordedEvent } from '../schemas/events.ts';
import type { Seq, UserId } from '../schemas/ids.ts';
import { defaultLimits } from '../schemas/limits.ts';
import { conversationFromSnapshot, conversationToSnapshot } from './conversation-snapshot.ts';
import type { Conversation, Folded } from './conversation.ts';
import { decide, type ConversationCommand } from './decide-conversation.ts';
import { evolve, foldConversation } from './evolve-conversation.ts';
import { idAt, mac, recordedAt, stateOf, user, type Asking } from './given.ts';
import { foldMembership } from './membership.ts';

const people = ['ann', 'bob', 'cy', 'dee', 'eve'].map(user);
const limits = { ...defaultLimits, groupMembers: 4, textCharacters: 5 };
const person = fc.constantFrom(...people);
const role = fc.constantFrom('admin' as const, 'member' as const);
const content = fc.oneof(
  fc.string({ maxLength: 7, minLength: 1 }).map((text) => ({ type: 'text' as const, text })),
  fc.constant({ type: 'location' as const, latitude: 1, longitude: 2 }),
);
const seq = fc.integer({ min: 1, max: 5 });
const target = fc.constant(undefined);

const startDirect = fc.record({ type: fc.constant('start-direct' as const), by: person, with: person });
const createGroup = fc.record({
  type: fc.constant('create-group' as const),
  by: person,
  name: fc.constant('Tea'),
  members: fc.array(person, { maxLength: 4 }),
});
const send = fc.record({
  type: fc.constant('send' as const),
  by: person,
  content,
  replyTo: fc.option(seq, { freq: 1, nil: undefined }),
});
const edit = fc.record({ type: fc.constant('edit' as const), by: person, seq, content, target });
const deleteMessage = fc.record({ type: fc.constant('delete' as const), by: person, seq, target });
const rename = fc.record({ type: fc.constant('rename' as const), by: person, name: fc.constant('Mate') });
const leave = fc.record({ type: fc.constant('leave' as const), by: person });
const addMember = fc.record({ type: fc.constant('add-member' as const), by: person, user: person });
const removeMember = fc.record({ type: fc.constant('remove-member' as const), by: person, user: person });
const changeRole = fc.record({ type: fc.constant('change-role' as const), by: person, user: person, role });

const start = fc.oneof({ weight: 1, arbitrary: startDirect }, { weight: 6, arbitrary: createGroup });
const later = fc.oneof(
  { weight: 12, arbitrary: send },
  { weight: 6, arbitrary: addMember },
  ...[edit, deleteMessage, changeRole].map((arbitrary) => ({ weight: 4, arbitrary })),
  ...[removeMember, leave, rename, startDirect, createGroup].map((arbitrary) => ({ weight: 1, arbitrary })),
);
interface Step {
  readonly asked: Asking;
  readonly idTime: number;
  /** Which of the members asks instead of whoever `asked` names; strangers alone would mostly be refused. */
  readonly insider: number | undefined;
}
const step = (asked: fc.Arbitrary<Asking>): fc.Arbitrary<Step> =>
  fc.record({ asked, idTime: fc.nat(20), insider: fc.option(fc.nat(11), { freq: 4, nil: undefined }) });

/** A start comes first, for without one all else is refused. */
const history = fc
  .tuple(step(start), fc.array(step(later), { maxLength: 50, size: 'max' }))
  .map(([first, rest]) => [first, ...rest]);

/** Gives an edit or a delete the message it names, as the command side does. */
const resolve = (command: ConversationCommand, events: readonly RecordedEvent[]): ConversationCommand => {
  if (command.type !== 'edit' && command.type !== 'delete') return command;
  for (const { event } of events) {
    if (event?.type === 'message-sent' && event.seq === command.seq) {
      return { ...command, target: { author: event.by, contentType: event.content?.type } };
    }
  }
  return command;
};

interface Run {
  readonly staged: Conversation | undefined;
  readonly events: readonly RecordedEvent[];
}
const run = (steps: readonly Step[]): Run => {
  let staged: Conversation | undefined;
  const events: RecordedEvent[] = [];
  steps.forEach(({ asked, idTime, insider }, n) => {
    const members = [...(staged?.members.keys() ?? [])];
    const by = members[(insider ?? NaN) % members.length] ?? asked.by;
    const command = resolve({ ...asked, by, id: idAt(idTime, n), mac }, events);
    const decision = decide(staged, command, limits);
    if (decision.outcome !== 'events') return;
    expect(decision.events).not.toHaveLength(0);
    for (const event of decision.events) {
      const recorded = recordedAt(events.length, event);
      events.push(recorded);
      staged = evolve(staged, event, recorded);
      expect(staged.members.size).toBeLessThanOrEqual(limits.groupMembers);
    }
  });
  return { staged, events };
};
const missing: Folded<never> = { state: undefined, revision: -1 };

/** What must hold of any stream, told from the events alone: it shares no code with the fold. */
const checkStream = (events: readonly RecordedEvent[]): void => {
  let kind = 'group';
  const roles = new Map<UserId, string>();
  const deleted = new Set<Seq>();
  const authors = new Map<Seq, UserId>();
  let last = 0;
  let idTimeMax = 0;
  for (const { event, revision } of events) {
    if (event === undefined || !('idTimeMax' in event)) throw new Error('not of a conversation');
    if (revision > 0) expect(roles.has(event.by)).toBe(true);
    expect(event.idTimeMax).toBeGreaterThanOrEqual(idTimeMax);
    idTimeMax = event.idTimeMax;
    expect(event.seq).toBe(event.type === 'message-sent' ? ++last : last);
    if (event.type === 'conversation-started') {
      expect(revision).toBe(0);
      for (const { userId, role: given } of event.members) roles.set(userId, given);
      expect(roles.size).toBe(event.members.length);
      kind = event.kind;
    } else if (event.type === 'message-sent') {
      authors.set(event.seq, event.by);
      if (event.replyTo !== null) expect(event.replyTo).toBeLessThan(event.seq);
    } else if (event.type === 'message-edited' || event.type === 'message-deleted') {
      expect(authors.get(event.target)).toBe(event.by);
      expect(deleted.has(event.target)).toBe(false);
      if (event.type === 'message-deleted') deleted.add(event.target);
    } else if (event.type === 'member-added') {
      expect(roles.has(event.userId)).toBe(false);
      roles.set(event.userId, event.role);
    } else if (event.type === 'role-changed') {
      expect(roles.get(event.userId)).not.toBe(event.role);
      roles.set(event.userId, event.role);
    } else if (event.type === 'member-removed') expect(roles.delete(event.userId)).toBe(true);
    else if (event.type === 'member-left') expect(roles.delete(event.by)).toBe(true);
    expect(roles.size).toBeLessThanOrEqual(limits.groupMembers);
    if (kind === 'direct') expect(roles.size).toBe(2);
    else if (roles.size > 0) expect([...roles.values()]).toContain('admin');
  }
};

describe('whatever people ask in whatever order', () => {
  test('the stream breaks no invariant: dense seqs, an admin, no event by a stranger, the cap, one delete a message', () => {
    let written = 0;
    fc.assert(
      fc.property(history, (steps) => {
        const { events } = run(steps);
        written += events.length;
        checkStream(events);
      }),
      { numRuns: 2_000 },
    );
    expect(written).toBeGreaterThan(10_000);
  });

  test('a fold of the stream, in one go or from a snapshot anywhere, is the state decided on', () => {
    fc.assert(
      fc.property(history, fc.nat(40), (steps, at) => {
        const { staged, events } = run(steps);
        const whole = foldConversation(missing, events);
        expect(whole).toEqual({ state: staged, revision: events.length - 1 });

        const early = stateOf(foldConversation(missing, events.slice(0, at)));
        const snapshot =
          early.state === undefined
            ? missing
            : { ...early, state: conversationFromSnapshot(conversationToSnapshot(early.state)) };
        expect(snapshot).toEqual(early);
        expect(foldConversation(snapshot, events.slice(at))).toEqual(whole);
      }),
      { numRuns: 500 },
    );
  });

  test('the membership that delivery folds is that of the decider, in the same order', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const { staged, events } = run(steps);
        const { state } = stateOf(foldMembership(missing, events));
        expect([...(state?.members ?? [])]).toEqual([...(staged?.members ?? [])]);
        expect({ ...staged }).toMatchObject({ ...state });
      }),
      { numRuns: 500 },
    );
  });

  test('the deleted messages are listed ascending', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const listed = run(steps).staged?.deleted ?? [];
        expect(listed).toEqual([...new Set(listed)].toSorted((a, b) => a - b));
      }),
    );
  });

  test('a state that was given out never changes', () => {
    fc.assert(
      fc.property(history, (steps) => {
        let { state } = stateOf(foldConversation(missing, []));
        for (const one of run(steps).events) {
          const [before, copy] = [state, structuredClone(state)];
          ({ state } = stateOf(foldConversation({ state, revision: one.revision - 1 }, [one])));
          expect(before).toEqual(copy);
        }
      }),
    );
  });
});
