import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { UserId } from '../schemas/ids.ts';
import type { Presence } from './inbox.ts';
import { InboxUnderTest, type NewInboxPlace } from './inbox-under-test.fixture.ts';
import { newUserId } from './story.fixture.ts';

const nothing = {
  shown: 'none',
  online: false,
  lastSeen: null,
  availability: 'available',
  statusText: null,
  version: 0,
};

export const inboxPresenceContract = (newPlace: NewInboxPlace): void => {
  describe('presence', () => {
    const under = new InboxUnderTest(newPlace);
    beforeAll(() => under.begin());
    afterAll(() => under.end());

    const seenBy = async (user: UserId, other: UserId, mostMembers = 100): Promise<Presence | undefined> =>
      (await under.inbox.presence(user, [other], mostMembers))[0];

    test('F39: online, offline with when it was last seen, and what was announced; each change raises the version', async () => {
      const { story } = under;
      const [ada, bob] = [story.user(), story.user()];
      story.direct(ada, bob);
      await under.told();
      expect(await seenBy(ada, bob)).toEqual({ ...nothing, userId: bob, shown: 'live' });
      story.online(bob);
      await under.told();
      expect(await seenBy(ada, bob)).toMatchObject({ online: true, lastSeen: null, version: 1 });
      story.offline(bob, 77);
      await under.told();
      expect(await seenBy(ada, bob)).toMatchObject({ online: false, lastSeen: 77, version: 2 });
      story.announce(bob, 'busy', 'at work');
      story.online(bob);
      await under.told();
      const now = { online: true, lastSeen: null, availability: 'busy', statusText: 'at work', version: 4 };
      expect(await seenBy(ada, bob)).toMatchObject(now);
      expect(await seenBy(bob, bob)).toMatchObject({ shown: 'live', ...now });
    });

    test('S5, S13: strangers, people who never were, who left, and either side of a block all look alike', async () => {
      const { story } = under;
      const [ada, bob, cleo, dan, eve] = [story.user(), story.user(), story.user(), story.user(), story.user()];
      const unknown = newUserId();
      for (const user of [bob, cleo, dan, eve]) {
        story.online(user);
        story.announce(user, 'away', 'secret');
      }
      for (const other of [bob, cleo]) story.direct(ada, other);
      const group = story.group(ada, dan);
      story.leave(group, dan);
      story.block(bob, ada);
      story.block(ada, cleo);
      await under.told();
      const all = [bob, cleo, dan, eve, unknown];
      expect(await under.inbox.presence(ada, all, 100)).toEqual(all.map((userId) => ({ ...nothing, userId })));
      expect(await under.inbox.presence(unknown, [ada], 100)).toEqual([{ ...nothing, userId: ada }]);
      story.unblock(bob, ada);
      await under.told();
      expect(await seenBy(ada, bob)).toMatchObject({ shown: 'live', online: true });
      story.erase(bob);
      await under.told();
      expect(await seenBy(ada, bob)).toEqual({ ...nothing, userId: bob });
    });

    test('F42: who is met only in a group above the threshold is shown when asked for', async () => {
      const { story } = under;
      const [ada, bob, cleo] = [story.user(), story.user(), story.user()];
      story.group(ada, bob, cleo);
      story.online(bob);
      await under.told();
      expect(await seenBy(ada, bob, 2)).toMatchObject({ shown: 'asked', online: true });
      expect(await seenBy(ada, bob, 3)).toMatchObject({ shown: 'live', online: true });
      story.direct(ada, bob);
      await under.told();
      expect(await seenBy(ada, bob, 2)).toMatchObject({ shown: 'live' });
    });

    test('who is online is listed in pages, whoever asks', async () => {
      const { story } = under;
      const before = new Set(await under.inbox.onlineAfter(null, 200));
      const users = Array.from({ length: 5 }, () => story.user());
      for (const user of users) story.online(user);
      story.offline(users[0] ?? newUserId(), 1);
      await under.told();
      const pages: UserId[] = [];
      for (;;) {
        const page = await under.inbox.onlineAfter(pages.at(-1) ?? null, 3);
        if (page.length === 0) break;
        pages.push(...page);
      }
      expect(pages.filter((user) => !before.has(user)).toSorted()).toEqual(users.slice(1).toSorted());
      expect(new Set(pages).size).toBe(pages.length);
    });
  });
};
