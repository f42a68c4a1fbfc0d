import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { conversationId, type CommandId, type UserId } from '../schemas/ids.ts';
import type { UserEvent } from '../schemas/user-events.ts';
import { idAt, user } from './given.ts';
import { findId } from './id-window.ts';
import { userSettingsFromSnapshot, userSettingsToSnapshot } from './user-settings-snapshot.ts';
import { decideUserSettings, evolveUserSettings, type UserCommand, type UserSettings } from './user-settings.ts';

const [ann, bob] = [user('ann'), user('bob')];
const chat = conversationId.parse('C'.repeat(21) + 'A');

const foldOf = (events: readonly UserEvent[]): UserSettings | undefined =>
  events.reduce<UserSettings | undefined>(
    (state, event, revision) => evolveUserSettings(state, event, { time: revision, link: `link ${revision}` }),
    undefined,
  );
const registered: UserEvent = { type: 'user-registered', kind: 'person', issuer: 'an issuer', subject: 'ann' };
const blocked = (who: UserId): UserEvent => ({ type: 'user-blocked', commandId: idAt(1), blocked: who });
const unblocked = (who: UserId): UserEvent => ({ type: 'user-unblocked', commandId: idAt(2), blocked: who });
const settings = (given: object): UserEvent & { type: 'chat-settings-changed' } => ({
  type: 'chat-settings-changed',
  commandId: idAt(3),
  conversationId: chat,
  mutedUntil: 0,
  pinned: false,
  archivedAt: null,
  ...given,
});

const command = idAt(9);
const block = (who: UserId): UserCommand => ({ type: 'block', id: command, by: ann, user: who });
const unblock = (who: UserId): UserCommand => ({ type: 'unblock', id: command, by: ann, user: who });
const change = (given: object): UserCommand => ({
  type: 'change-chat-settings',
  id: command,
  by: ann,
  conversationId: chat,
  mutedUntil: undefined,
  pinned: undefined,
  archived: undefined,
  seq: 7,
  ...given,
});
const profile = { displayName: 'Ann', statusText: 'busy' };

describe('what a user decides for itself', () => {
  test.each<[string, { given: readonly UserEvent[]; when: UserCommand; then: string | UserEvent }]>([
    ['F7: blocks another', { given: [], when: block(bob), then: { ...blocked(bob), commandId: command } as UserEvent }],
    ['nobody blocks itself', { given: [], when: block(ann), then: 'own_user' }],
    ['blocking twice writes nothing', { given: [blocked(bob)], when: block(bob), then: 'unchanged' }],
    [
      'F7: unblocks again',
      { given: [blocked(bob)], when: unblock(bob), then: { ...unblocked(bob), commandId: command } as UserEvent },
    ],
    ['unblocking who is not blocked writes nothing', { given: [], when: unblock(bob), then: 'unchanged' }],
    [
      'who was unblocked may be blocked again',
      {
        given: [blocked(bob), unblocked(bob)],
        when: block(bob),
        then: { type: 'user-blocked', commandId: command, blocked: bob },
      },
    ],
    [
      'mutes a chat',
      { given: [], when: change({ mutedUntil: 5 }), then: settings({ mutedUntil: 5, commandId: command }) },
    ],
    [
      'what is left out stays as it is',
      {
        given: [settings({ mutedUntil: 5, archivedAt: 3 })],
        when: change({ pinned: true }),
        then: settings({ mutedUntil: 5, archivedAt: 3, pinned: true, commandId: command }),
      },
    ],
    [
      'archives up to the last message',
      { given: [], when: change({ archived: true }), then: settings({ archivedAt: 7, commandId: command }) },
    ],
    [
      'archives again after a later message',
      {
        given: [settings({ archivedAt: 6 })],
        when: change({ archived: true }),
        then: settings({ archivedAt: 7, commandId: command }),
      },
    ],
    [
      'archiving twice writes nothing',
      { given: [settings({ archivedAt: 7 })], when: change({ archived: true }), then: 'unchanged' },
    ],
    [
      'the usual settings need no event',
      { given: [], when: change({ pinned: false, archived: false, mutedUntil: 0 }), then: 'unchanged' },
    ],
    [
      'only of a chat one is in',
      { given: [], when: change({ pinned: true, seq: undefined }), then: 'conversation_not_found' },
    ],
    [
      'F5: the profile is the whole of it',
      {
        given: [],
        when: { type: 'change-profile', id: command, by: ann, profile },
        then: { type: 'profile-changed', commandId: command, profile },
      },
    ],
    ['an erased user decides nothing', { given: [{ type: 'user-erased' }], when: block(bob), then: 'unauthenticated' }],
  ])('%s', (_, { given, when, then }) => {
    const decision = decideUserSettings(foldOf([registered, ...given]), when);
    const outcome =
      decision.outcome === 'events'
        ? decision.events
        : decision.outcome === 'unchanged'
          ? 'unchanged'
          : decision.rejection.code;
    expect(outcome).toEqual(typeof then === 'string' ? then : [then]);
  });
});

const ids = fc.uniqueArray(fc.integer({ min: 1, max: 1_000_000 }), { maxLength: 60 });
const about = fc.infiniteStream(fc.record({ who: fc.constantFrom('bob', 'cy', 'dee'), on: fc.boolean() }));

test('the state is the same from a snapshot anywhere, remembers every id, and says nothing personal', () => {
  fc.assert(
    fc.property(ids, about, fc.nat(60), (times, choices, cut) => {
      const events = times.map((time): UserEvent => {
        const { who, on } = choices.next().value as { who: string; on: boolean };
        const commandId: CommandId = idAt(time);
        if (who === 'dee') return { type: 'profile-changed', commandId, profile: { displayName: 'a secret name' } };
        return { type: on ? 'user-blocked' : 'user-unblocked', commandId, blocked: user(who) };
      });
      const all = [registered, ...events];
      const whole = foldOf(all);
      const begun = foldOf(all.slice(0, cut + 1));
      if (begun === undefined || whole === undefined) throw new Error('there is a registration');
      const snapshot = userSettingsToSnapshot(begun);
      expect(snapshot).not.toContain('secret');
      let state = userSettingsFromSnapshot(snapshot);
      for (const [index, event] of all.slice(cut + 1).entries()) {
        const revision = cut + 1 + index;
        state = evolveUserSettings(state, event, { time: revision, link: `link ${revision}` });
      }
      expect(state).toEqual(whole);
      for (const time of times) expect(findId(state.window, idAt(time))).toHaveProperty('known');
    }),
  );
});
