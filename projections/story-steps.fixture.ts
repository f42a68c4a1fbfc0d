import fc from 'fast-check';
import type { ConversationId, UserId } from '../schemas/ids.ts';
import { foldChat } from './inbox-fold.fixture.ts';
import type { Story } from './story.fixture.ts';

export const people = 4;
const steps = ['send', 'edit', 'delete', 'mark', 'block', 'unblock', 'leave', 'expel', 'add'] as const;
export const step = fc.record({
  what: fc.oneof({ weight: 4, arbitrary: fc.constant('send' as const) }, fc.constantFrom(...steps)),
  by: fc.nat(people - 1),
  other: fc.nat(people - 1),
  seq: fc.nat(1_000),
});
export type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Does what a decider would allow, and nothing else. */
export const take = (
  story: Story,
  id: ConversationId,
  users: readonly UserId[],
  { what, by, other, seq }: Step,
): void => {
  const { members, seq: last } = story.membership(id);
  const [user, second] = [users[by], users[other]];
  if (user === undefined || second === undefined) return;
  const member = members.get(user);
  const target = last === 0 ? 0 : 1 + (seq % last);
  switch (what) {
    case 'send':
      if (member !== undefined) story.send(id, user, `text ${story.place}`);
      return;
    case 'edit':
    case 'delete':
      if (member === undefined || target === 0) return;
      if (what === 'edit') {
        const folded = foldChat(story.events, user, id)?.messages.find(([found]) => found === target);
        if (folded?.[1] === 'shown') story.edit(id, user, target, `edited ${story.place}`);
      } else if (target > member.visibleFrom) story.remove(id, user, target);
      return;
    case 'mark':
      if (member !== undefined) story.mark(id, user, { read: target });
      return;
    case 'block':
      if (user !== second) story.block(user, second);
      return;
    case 'unblock':
      story.unblock(user, second);
      return;
    case 'leave':
      if (member !== undefined && members.size > 1) story.leave(id, user);
      return;
    case 'expel':
      if (member !== undefined && user !== second && members.has(second)) story.expel(id, user, second);
      return;
    case 'add':
      if (member !== undefined && !members.has(second)) story.add(id, user, second);
      return;
    default:
      what satisfies never;
  }
};
