import { describe, expect, test } from 'vitest';
import { defaultLimits } from '../schemas/limits.ts';
import type { ErrorCode } from '../schemas/errors.ts';
import type { Decision, Target } from './decide-conversation.ts';
import { added, deleted, given, left, outcomeOf, removed, sent, startedDirect, startedGroup } from './given.ts';
import { user, type Asking, type Happening } from './given.ts';

const [ann, bob, cy, dee] = [user('ann'), user('bob'), user('cy'), user('dee')];

const rejection = (decision: Decision): string => (decision.outcome === 'rejected' ? decision.rejection.message : '');

const place = { type: 'location', latitude: 35.7, longitude: 139.7 } as const;
const text = (words: string) => ({ type: 'text', text: words }) as const;
const send = (by = ann, replyTo?: number): Asking => ({ type: 'send', by, content: text('hi'), replyTo });
const annsText: Target = { author: ann, contentType: 'text' };
const edit = (seq: number, by = ann, target = annsText): Asking => ({
  type: 'edit',
  by,
  seq,
  content: text('better'),
  target,
});
const remove = (seq: number, by = ann): Asking => ({ type: 'delete', by, seq, target: annsText });

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

describe('a message', () => {
  const strangers: Readonly<Record<string, readonly Happening[]>> = {
    'to a missing conversation': [],
    'from somebody who never was a member': direct,
    'from somebody who was removed': [startedGroup(ann, dee), removed(ann, dee)],
    'from somebody who left': [startedGroup(ann, dee), left(dee)],
  };
  test('is not found, and all look the same', () => {
    const answers = Object.values(strangers).map((before) => given(...before).when(send(dee)));
    expect(answers[0]).toMatchObject({ rejection: { code: 'conversation_not_found' } });
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  });

  cases({
    'F22: takes the next seq': {
      given: [...direct, sent(bob)],
      when: send(),
      then: [{ type: 'message-sent', by: ann, seq: 2, replyTo: null, content: text('hi') }],
    },
    'F16: may reply to another': {
      given: [...direct, sent(bob)],
      when: send(ann, 1),
      then: [{ type: 'message-sent', by: ann, seq: 2, replyTo: 1, content: text('hi') }],
    },
    'F16: may reply to a deleted one': {
      given: [...direct, sent(bob), deleted(bob, 1)],
      when: send(ann, 1),
      then: [{ type: 'message-sent', by: ann, seq: 2, replyTo: 1, content: text('hi') }],
    },
    'does not reply to what is not there': {
      given: [...direct, sent(bob)],
      when: send(ann, 2),
      then: 'message_not_found',
    },
    'I6: does not reply to what its author may not see': {
      given: [...group, sent(bob), added(ann, dee)],
      when: send(dee, 1),
      then: 'message_not_found',
    },
    'is edited by its author': {
      given: [...direct, sent(ann), sent(bob)],
      when: edit(1),
      then: [{ type: 'message-edited', by: ann, seq: 2, target: 1, content: text('better') }],
    },
    'is not edited by others': { given: [...direct, sent(ann)], when: edit(1, bob), then: 'not_author' },
    'is not edited when it is not there': {
      given: direct,
      when: edit(1),
      then: 'message_not_found',
    },
    'is not edited when nothing was found': {
      given: [...direct, sent(ann)],
      when: { type: 'edit', by: ann, seq: 1, content: text('better'), target: undefined },
      then: 'message_not_found',
    },
    'I6: is not edited by its author who came back and sees it no more': {
      given: [startedGroup(bob, ann), sent(ann), left(ann), added(bob, ann)],
      when: edit(1),
      then: 'message_not_found',
    },
    'is not edited once deleted': {
      given: [...direct, sent(ann), deleted(ann, 1)],
      when: edit(1),
      then: 'message_deleted',
    },
    'keeps its type': {
      given: [...direct, sent(ann)],
      when: edit(1, ann, { author: ann, contentType: 'location' }),
      then: 'invalid',
    },
    'F17: is deleted by its author': {
      given: [...direct, sent(ann), sent(bob)],
      when: remove(1),
      then: [{ type: 'message-deleted', by: ann, seq: 2, target: 1 }],
    },
    'is not deleted by others, admins included': {
      given: [startedGroup(bob, ann), sent(ann)],
      when: remove(1, bob),
      then: 'not_author',
    },
    'is not deleted twice': {
      given: [...direct, sent(ann), deleted(ann, 1)],
      when: remove(1),
      then: 'message_deleted',
    },
    'is not found by a stranger who edits': {
      given: [...direct, sent(ann)],
      when: edit(1, cy),
      then: 'conversation_not_found',
    },
  });

  test('a place stays a place', () => {
    const before = given(...direct, sent(ann));
    const target: Target = { author: ann, contentType: 'location' };
    expect(outcomeOf(before.when({ type: 'edit', by: ann, seq: 1, content: place, target }))).toHaveLength(1);
  });

  // 🙂 is one character in two UTF-16 units.
  test.each(['a', 'é', 'あ', 'س', 'ก', '🙂'])(
    'F13: 100,000 characters of %s pass and one more does not',
    (character) => {
      const asking = (count: number): Asking => ({
        ...send(),
        type: 'send',
        by: ann,
        content: text(character.repeat(count)),
        replyTo: undefined,
      });
      expect(outcomeOf(given(...direct).when(asking(100_000)))).toHaveLength(1);
      const refused = given(...direct).when(asking(100_001));
      expect(outcomeOf(refused)).toBe('text_too_long');
      expect(rejection(refused)).toContain('100001 characters (Unicode code points); the limit is 100000');
    },
  );

  test('F13: an edit has the same limit', () => {
    const long: Asking = { type: 'edit', by: ann, seq: 1, content: text('🙂🙂🙂'), target: annsText };
    const limits = { ...defaultLimits, textCharacters: 2 };
    expect(outcomeOf(given(...direct, sent(ann)).when(long, limits))).toBe('text_too_long');
  });
});
