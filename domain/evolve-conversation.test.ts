import { describe, expect, test } from 'vitest';
import type { RecordedEvent } from '../schemas/events.ts';
import { conversationFromSnapshot, conversationToSnapshot } from './conversation-snapshot.ts';
import type { Folded } from './conversation.ts';
import { isDeleted } from './deleted-messages.ts';
import { decide } from './decide-conversation.ts';
import { evolve, foldConversation } from './evolve-conversation.ts';
import { added, deleted, given, idAt, mac, recorded, recordedAt, removed, roleChanged, sent } from './given.ts';
import { startedGroup, stateOf, user } from './given.ts';
import { findId, lastArrived } from './id-window.ts';
import { evolveMembership, foldMembership } from './membership.ts';
import { defaultLimits } from '../schemas/limits.ts';

const [ann, bob, cy] = [user('ann'), user('bob'), user('cy')];
const missing: Folded<never> = { state: undefined, revision: -1 };
const group = startedGroup(ann, bob);

describe('a fold over events unknown here', () => {
  const unknown = (one: RecordedEvent, critical: boolean): RecordedEvent => ({
    ...one,
    type: 'poll-opened',
    schemaVersion: 3,
    event: undefined,
    critical,
  });
  const stream = (critical: boolean): readonly RecordedEvent[] =>
    recorded(group, sent(ann), sent(bob), deleted(ann, 1)).map((one) =>
      one.revision === 2 ? unknown(one, critical) : one,
    );

  test.each([
    ['decider', foldConversation],
    ['delivery', foldMembership],
  ] as const)('the %s skips what is not critical, and stops at what is, naming it', (_, fold) => {
    expect(fold(missing, stream(false))).toMatchObject({ revision: 3, state: { seq: 2 } });
    expect(fold(missing, stream(true))).toEqual({ blocked: { type: 'poll-opened', schemaVersion: 3, revision: 2 } });
  });

  test('a stream that does not begin with its start is no conversation', () => {
    expect(() => foldConversation(missing, stream(false).slice(1))).toThrow('begins with message-sent');
  });

  test('no events leave a missing stream missing', () => {
    expect(foldConversation(missing, [])).toEqual(missing);
  });
});

describe('members', () => {
  test('know when their present membership began and from where they see', () => {
    const { state } = given(group, sent(ann), removed(ann, bob), sent(ann), added(ann, bob), added(ann, cy));
    expect([...(state?.members ?? [])]).toEqual([
      [ann, { role: 'admin', since: 0, visibleFrom: 0 }],
      [bob, { role: 'member', since: 4, visibleFrom: 2 }],
      [cy, { role: 'member', since: 5, visibleFrom: 2 }],
    ]);
  });

  test('keep their place and their view when their role changes', () => {
    const { state } = given(group, sent(ann), added(ann, cy), roleChanged(ann, bob, 'admin'));
    expect([...(state?.members ?? [])][1]).toEqual([bob, { role: 'admin', since: 0, visibleFrom: 0 }]);
  });

  test('the newest name is found by its revision', () => {
    const said = { commandId: idAt(1), idTimeMax: 1, mac, by: ann, seq: 0 };
    const { state } = given(group);
    expect(state?.namedAt).toBe(-1);
    expect(evolveMembership(state, { type: 'conversation-renamed', ...said, name: null }, 7).namedAt).toBe(7);
  });
});

describe('the answer to a command', () => {
  test('is that of its first event, and a command of several events counts once', () => {
    const command = { type: 'create-group', id: idAt(5), by: ann, mac, name: 'Tea', members: [bob] } as const;
    const decision = decide(undefined, command, defaultLimits);
    const events = decision.outcome === 'events' ? decision.events.map((event, at) => recordedAt(at, event)) : [];
    const { state } = stateOf(foldConversation(missing, events));
    expect(events).toHaveLength(2);
    expect(state?.window.arrivals).toBe(1);
    expect(state && findId(state.window, idAt(5))).toEqual({
      known: { id: idAt(5), by: ann, mac, seq: undefined, time: events[0]?.time, chain: 'link 0' },
    });
  });

  test('of a send has its seq', () => {
    const [start, message] = recorded(group, sent(bob));
    const { state } = stateOf(foldConversation(missing, start && message ? [start, message] : []));
    expect(state && lastArrived(state.window)).toMatchObject({ by: bob, seq: 1, chain: 'link 1' });
  });
});

describe('deleted messages', () => {
  test('are listed ascending, in whatever order they were deleted', () => {
    const { state } = given(
      group,
      ...[1, 2, 3, 4, 5].map(() => sent(ann)),
      ...[4, 1, 5, 2].map((seq) => deleted(ann, seq)),
    );
    expect(state?.deleted).toEqual([1, 2, 4, 5]);
    expect([0, 1, 2, 3, 4, 5, 6].filter((seq) => isDeleted(state?.deleted ?? [], seq))).toEqual([1, 2, 4, 5]);
  });
});

test('a snapshot of a long conversation gives back the same state, and the fold goes on from it as if it had not been', () => {
  const events = recorded(
    group,
    ...Array.from({ length: 5_000 }, (_, at) => sent(at % 3 === 0 ? bob : ann)),
    ...[4_000, 3, 1_000].map((seq) => deleted(bob, seq)),
  );
  const early = stateOf(foldConversation(missing, events.slice(0, 4_777)));
  const text = early.state === undefined ? '' : conversationToSnapshot(early.state);
  const restored = { ...early, state: conversationFromSnapshot(text) };
  expect(restored).toEqual(early);
  expect(foldConversation(restored, events.slice(4_777))).toEqual(foldConversation(missing, events));
  expect(text).not.toContain('hello');
});

test('an event that is only staged has no link yet', () => {
  const { state } = given(group);
  const event = sent(ann)({ commandId: idAt(9), idTimeMax: 9, mac, seq: 0 });
  expect(lastArrived(evolve(state, event, { revision: 1, time: 9, link: null }).window)?.chain).toBe('');
});
