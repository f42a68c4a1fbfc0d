import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { UserId } from '../schemas/ids.ts';
import { foldChat } from './inbox-fold.fixture.ts';
import { InboxUnderTest, type NewInboxPlace } from './inbox-under-test.fixture.ts';
import { people, step, take } from './story-steps.fixture.ts';

export const inboxUnreadContract = (newPlace: NewInboxPlace): void => {
  describe('unread', () => {
    const under = new InboxUnderTest(newPlace);
    beforeAll(() => under.begin());
    afterAll(() => under.end());

    test('C4 C5 C6 C7: equals a fold of the log after sends, edits, deletes, blocks, leaves, returns and marks in any order', async () => {
      const { story } = under;
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { minLength: 1, maxLength: 60 }),
          fc.integer({ min: 1, max: 30 }),
          async (taken, most) => {
            const first = story.events.length;
            const users = Array.from({ length: people }, () => story.user());
            const id = story.group(...(users as [UserId, ...UserId[]]));
            for (const next of taken) take(story, id, users, next);
            while (story.untold > 0) await under.writer.apply(story.batch(most));
            const events = story.events.slice(first);
            for (const user of users) {
              const expected = foldChat(events, user, id);
              const chat = await under.inbox.chat(user, id);
              const page = await under.inbox.messages(user, id, { from: 'newest' }, 200);
              expect(chat?.unread).toEqual(expected?.unread);
              expect(
                page?.messages.map(({ seq, state, content }) => [
                  seq,
                  state,
                  content?.type === 'text' ? content.text : null,
                ]),
              ).toEqual(expected?.messages);
              expect((await under.inbox.totalUnread(user)).unread).toEqual(expected?.unread ?? 0);
            }
          },
        ),
        { numRuns: 60 },
      );
    });

    test('C6: is exact over many thousands, wherever the mark stands', async () => {
      const { story } = under;
      const first = story.events.length;
      const [ada, bob, cleo, dan] = [story.user(), story.user(), story.user(), story.user()];
      const id = story.group(ada, bob, cleo);
      for (let sent = 1; sent <= 12_345; sent++) {
        story.send(id, sent % 3 === 0 ? cleo : bob, '.');
        if (sent % 1_000 === 0) story.remove(id, bob, sent - (sent % 7));
        if (sent === 6_000) story.add(id, ada, dan);
      }
      story.block(dan, cleo);
      while (story.untold > 0) await under.writer.apply(story.batch(1_000));
      for (const mark of [0, 1, 4_998, 4_999, 5_000, 5_001, 9_999, 10_000, 12_344, 12_345]) {
        if (mark > 0) story.mark(id, ada, { read: mark });
        await under.told();
        const expected = foldChat(story.events.slice(first), ada, id)?.unread;
        expect(await under.inbox.totalUnread(ada)).toEqual({
          unread: expected,
          chats: expected === 0 ? 0 : 1,
          incomplete: false,
        });
      }
      expect((await under.inbox.chat(dan, id))?.unread).toBe(foldChat(story.events.slice(first), dan, id)?.unread);
    });
  });
};
