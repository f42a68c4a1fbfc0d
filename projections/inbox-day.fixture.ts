import fc from 'fast-check';
import type { ConversationId, UserId } from '../schemas/ids.ts';
import { people, step, take } from './story-steps.fixture.ts';
import type { Story } from './story.fixture.ts';

/** A day of chat, the same for the same seed: everything that may be said, by people who come, go, block and are erased. */
export const tellADay = (story: Story, seed: number): { readonly users: readonly UserId[] } => {
  const users = Array.from({ length: people }, (_, n) => story.user(`user ${n}`));
  const [ada, bob, cleo, dan] = users as [UserId, UserId, UserId, UserId];
  const group = story.group(ada, bob, cleo, dan);
  const direct = story.direct(ada, bob);
  const alone = story.group(cleo);
  const chats: readonly [ConversationId, ...ConversationId[]] = [group, direct, alone];
  story.rename(group, ada, 'a name');
  const steps = fc.sample(fc.tuple(step, fc.nat(2)), { numRuns: 150, seed });
  for (const [turn, [next, chat]] of steps.entries()) {
    const id = chats[chat] ?? group;
    // A one-to-one chat has no members who come and go.
    if (id === direct && ['leave', 'expel', 'add'].includes(next.what)) continue;
    if (id === direct && next.by > 1) continue;
    take(story, id, users, next);
    const by = users[next.by] ?? ada;
    if (turn % 10 === 3)
      story.settings(by, id, { pinned: turn % 20 === 3, archivedAt: turn % 30 === 3 ? next.seq : null });
    if (turn % 10 === 5) story.online(by);
    if (turn % 10 === 7) story.announce(by, 'busy', `at work ${turn}`);
    if (turn % 10 === 9) story.offline(by, turn);
    if (turn % 25 === 13) story.profile(by, { displayName: `called ${turn}` });
    if (turn % 40 === 20) story.rename(group, ada, turn % 80 === 20 ? null : `name ${turn}`);
    if (turn % 30 === 11 && story.membership(group).members.has(by))
      story.send(
        group,
        by,
        turn % 60 === 11 ? 'long '.repeat(1_000) : { type: 'location', latitude: turn, longitude: 1 },
      );
  }
  story.erase(dan);
  if (story.membership(group).members.has(bob)) story.send(group, bob, 'after all');
  return { users };
};

/** Events of a story from one to another, in batches of a size. */
export const batchesOf = (story: Story, from: number, to: number, size: number) => {
  const batches = [];
  for (let at = from; at < to; at += size) {
    const events = story.events.slice(at, Math.min(at + size, to));
    batches.push(story.batchOf(events, at + events.length));
  }
  return batches;
};
