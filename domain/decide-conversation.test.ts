import { describe, expect, test } from 'vitest';
import { defaultLimits } from '../schemas/limits.ts';
import type { ErrorCode } from '../schemas/errors.ts';
import type { Decision } from './decide-conversation.ts';
import { added, given, idAt, left, mac, outcomeOf, removed, roleChanged, sent } from './given.ts';
import { startedDirect, startedGroup, user, type Asking, type Happening } from './given.ts';

const [ann, bob, cy, dee] = [user('ann'), user('bob'), user('cy'), user('dee')];

const rejection = (decision: Decision): string => (decision.outcome === 'rejected' ? decision.rejection.message : '');

const send: Asking = { type: 'send', by: ann, content: { type: 'text', text: 'hi' }, replyTo: undefined };
const direct = [startedDirect(ann, bob)];
const group = [startedGroup(ann, bob, cy)];

interface Case {
  readonly given: readonly Happening[];
  readonly when: Asking;
  readonly then: ErrorCode | 'unchanged' | readonly object[];
}
const cases = (table: Readonly<Record<string, Case>>): void => {
  test.each(Object.entries(table))('%s', (_, { given: before, when, then }) => {
    expect(outcomeOf(given(...before).when(when))).toEqual(then);
  });
};

test('every event says which command caused it, who asked, and the greatest id time so far', () => {
  const decision = given(...group, sent(ann)).when(send);
  expect(decision).toMatchObject({ events: [{ commandId: idAt(1_000_002), idTimeMax: 1_000_002, mac, by: ann }] });
});

test('idTimeMax does not fall when an id with an earlier time comes', () => {
  const fromTheFuture = (said: Parameters<Happening>[0]) => ({ ...sent(bob)(said), commandId: idAt(9_000_000) });
  expect(given(...group, fromTheFuture).when(send)).toMatchObject({ events: [{ idTimeMax: 9_000_000 }] });
});

describe('one-to-one', () => {
  const start = (by = ann, other = bob): Asking => ({ type: 'start-direct', by, with: other });
  const members = [
    { userId: ann, role: 'member' },
    { userId: bob, role: 'member' },
  ];
  cases({
    'starts with two members': {
      given: [],
      when: start(),
      then: [{ type: 'conversation-started', by: ann, seq: 0, kind: 'direct', members }],
    },
    'F8: opened again it is the same conversation': { given: direct, when: start(), then: 'unchanged' },
    'F8: also when the other opens it': { given: direct, when: start(bob, ann), then: 'unchanged' },
    'is not with oneself': { given: [], when: start(ann, ann), then: 'own_user' },
    'has no name': { given: direct, when: { type: 'rename', by: ann, name: 'x' }, then: 'not_a_group' },
    'takes nobody in': { given: direct, when: { type: 'add-member', by: ann, user: cy }, then: 'not_a_group' },
    'removes nobody': { given: direct, when: { type: 'remove-member', by: ann, user: bob }, then: 'not_a_group' },
    'is not left': { given: direct, when: { type: 'leave', by: ann }, then: 'not_a_group' },
    'has no roles': {
      given: direct,
      when: { type: 'change-role', by: ann, user: bob, role: 'admin' },
      then: 'not_a_group',
    },
    'does not show itself to others': {
      given: direct,
      when: { type: 'leave', by: cy },
      then: 'conversation_not_found',
    },
  });
});

describe('a group', () => {
  const create = (...members: readonly ReturnType<typeof user>[]): Asking => ({
    type: 'create-group',
    by: ann,
    name: 'Tea',
    members,
  });
  const add = (whom = dee, by = ann): Asking => ({ type: 'add-member', by, user: whom });
  const expel = (whom = bob, by = ann): Asking => ({ type: 'remove-member', by, user: whom });
  const change = (whom: ReturnType<typeof user>, role: 'admin' | 'member', by = ann): Asking => ({
    type: 'change-role',
    by,
    user: whom,
    role,
  });
  const leave = (by = ann): Asking => ({ type: 'leave', by });
  const rename = (by = ann): Asking => ({ type: 'rename', by, name: 'Coffee' });

  cases({
    'F9, F10: is created with a name, and its creator is admin; whoever is named twice is in once': {
      given: [],
      when: create(bob, ann, bob),
      then: [
        {
          type: 'conversation-started',
          by: ann,
          seq: 0,
          kind: 'group',
          members: [
            { userId: ann, role: 'admin' },
            { userId: bob, role: 'member' },
          ],
        },
        { type: 'conversation-renamed', by: ann, seq: 0, name: 'Tea' },
      ],
    },
    'may begin with its creator alone': {
      given: [],
      when: create(),
      then: [
        {
          type: 'conversation-started',
          by: ann,
          seq: 0,
          kind: 'group',
          members: [{ userId: ann, role: 'admin' }],
        },
        { type: 'conversation-renamed', by: ann, seq: 0, name: 'Tea' },
      ],
    },
    'is not created over another': { given: group, when: create(bob), then: 'command_id_reused' },
    'is renamed by an admin': {
      given: [...group, sent(bob)],
      when: rename(),
      then: [{ type: 'conversation-renamed', by: ann, seq: 1, name: 'Coffee' }],
    },
    'is not renamed by a member': { given: group, when: rename(bob), then: 'admin_required' },
    'F10: takes in whom an admin adds, who sees what comes after': {
      given: [...group, sent(bob), sent(cy)],
      when: add(),
      then: [{ type: 'member-added', by: ann, seq: 2, userId: dee, role: 'member', visibleFrom: 2 }],
    },
    'takes in nobody whom a member adds': { given: group, when: add(dee, bob), then: 'admin_required' },
    'takes in nobody whom a stranger adds': { given: group, when: add(dee, dee), then: 'conversation_not_found' },
    'takes in nobody twice': { given: group, when: add(bob), then: 'already_member' },
    'takes in again who was removed': {
      given: [...group, removed(ann, bob), sent(ann)],
      when: add(bob),
      then: [{ type: 'member-added', by: ann, seq: 1, userId: bob, role: 'member', visibleFrom: 1 }],
    },
    'F10: loses whom an admin removes': {
      given: group,
      when: expel(),
      then: [{ type: 'member-removed', by: ann, seq: 0, userId: bob }],
    },
    'F10: also another admin': {
      given: [...group, roleChanged(ann, bob, 'admin')],
      when: expel(ann, bob),
      then: [{ type: 'member-removed', by: bob, seq: 0, userId: ann }],
    },
    'loses nobody whom a member removes': { given: group, when: expel(cy, bob), then: 'admin_required' },
    'cannot remove who is not in it': { given: group, when: expel(dee), then: 'not_a_member' },
    'is left, not removed from by oneself': { given: group, when: expel(ann), then: 'own_user' },
    'F9: is left': { given: group, when: leave(bob), then: [{ type: 'member-left', by: bob, seq: 0 }] },
    'gets its longest-standing member as admin before the last admin leaves': {
      given: [...group, removed(ann, bob), added(ann, bob)],
      when: leave(),
      then: [
        { type: 'role-changed', by: ann, seq: 0, userId: cy, role: 'admin' },
        { type: 'member-left', by: ann, seq: 0 },
      ],
    },
    'needs no new admin while another stays': {
      given: [...group, roleChanged(ann, bob, 'admin')],
      when: leave(),
      then: [{ type: 'member-left', by: ann, seq: 0 }],
    },
    'is empty once the last member leaves': {
      given: [startedGroup(ann)],
      when: leave(),
      then: [{ type: 'member-left', by: ann, seq: 0 }],
    },
    'lets nobody in once it is empty': {
      given: [startedGroup(ann), left(ann)],
      when: add(ann),
      then: 'conversation_not_found',
    },
    'F10: makes a member admin': {
      given: group,
      when: change(bob, 'admin'),
      then: [{ type: 'role-changed', by: ann, seq: 0, userId: bob, role: 'admin' }],
    },
    'lets an admin step down while another stays': {
      given: [...group, roleChanged(ann, bob, 'admin')],
      when: change(ann, 'member'),
      then: [{ type: 'role-changed', by: ann, seq: 0, userId: ann, role: 'member' }],
    },
    'keeps its last admin': { given: group, when: change(ann, 'member'), then: 'admin_required' },
    'changes no role that is so already': { given: group, when: change(bob, 'member'), then: 'unchanged' },
    'changes no role of who is not in it': { given: group, when: change(dee, 'admin'), then: 'not_a_member' },
    'changes no role for a member': { given: group, when: change(bob, 'admin', bob), then: 'admin_required' },
  });

  const three = { ...defaultLimits, groupMembers: 3 };

  test('F11: is full at the limit, its creator counted', () => {
    expect(outcomeOf(given().when(create(bob, cy, bob, ann), three))).toHaveLength(2);
    const refused = given().when(create(bob, cy, dee), three);
    expect(outcomeOf(refused)).toBe('group_full');
    expect(rejection(refused)).toContain('4 members; the limit is 3');
  });

  test('F11: takes in nobody when full, and somebody again when one has left', () => {
    expect(outcomeOf(given(...group).when(add(), three))).toBe('group_full');
    expect(outcomeOf(given(...group, left(cy)).when(add(), three))).toHaveLength(1);
  });
});
