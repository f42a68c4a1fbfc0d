import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MessageContent } from '../schemas/content.ts';
import type { ConversationId, UserId } from '../schemas/ids.ts';
import { conversationStream } from '../schemas/streams.ts';
import { foldChat } from './inbox-fold.fixture.ts';
import type { Missed, MissedItem } from './inbox.ts';
import { InboxUnderTest, type NewInboxPlace } from './inbox-under-test.fixture.ts';
import { newUserId } from './story.fixture.ts';
import { people, step, take } from './story-steps.fixture.ts';

const textOf = (content: MessageContent | null): string | null => (content?.type === 'text' ? content.text : null);

/** What a device holds of its chats, by what it was given; it says when something came that should not have. */
class Device {
  readonly chats = new Map<ConversationId, { visibleFrom: number; texts: [state: string, text: string | null][] }>();
  readonly marks = new Map<string, number>();

  take(item: MissedItem): void {
    const { conversationId: id } = item;
    const chat = this.chats.get(id);
    if (item.type === 'ended') this.chats.delete(id);
    else if (item.type === 'conversation') {
      if (chat?.visibleFrom !== item.visibleFrom) this.chats.set(id, { visibleFrom: item.visibleFrom, texts: [] });
    } else if (item.type === 'marks') {
      for (const { userId, read } of item.marks) {
        expect(read).toBeGreaterThanOrEqual(this.marks.get(id + userId) ?? 0);
        this.marks.set(id + userId, read);
      }
    } else {
      if (chat === undefined) throw new Error(`a message of ${id} came before the chat`);
      const index = item.seq - chat.visibleFrom - 1;
      // In order and without a hole where it was sent; what was changed is held already.
      if (item.type === 'sent') expect(index).toBe(chat.texts.length);
      else expect(index).toBeLessThan(chat.texts.length);
      chat.texts[index] = [item.deleted ? 'deleted' : 'shown', textOf(item.content)];
    }
  }
}

export const inboxMissedContract = (newPlace: NewInboxPlace): void => {
  describe('what a device missed', () => {
    const under = new InboxUnderTest(newPlace);
    beforeAll(() => under.begin());
    afterAll(() => under.end());

    const missed = async (user: UserId, place: number, limit = 50): Promise<Missed> => {
      const found = await under.inbox.missedAfter(user, place, limit);
      if (found === undefined) throw new Error('the inbox does not say');
      return found;
    };
    const typesOf = ({ items }: Missed): string[] => items.map(({ type }) => type);

    test('I3 I6 I8: pages of any size, asked for while more happens, give every device what a fold of the log gives', async () => {
      const steps = fc.array(step, { minLength: 1, maxLength: 25 });
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(steps, fc.nat(1), fc.integer({ min: 1, max: 9 })), { minLength: 1, maxLength: 6 }),
          async (turns) => {
            const { story } = under;
            const first = story.events.length;
            const users = Array.from({ length: people }, () => story.user());
            const [one, ...others] = users as [UserId, ...UserId[]];
            const [both, alone] = [story.group(one, ...others), story.group(one)];
            const chats = [both, alone];
            const devices = new Map(users.map((user) => [user, { device: new Device(), place: under.story.base }]));
            const give = async (user: UserId, limit: number): Promise<boolean> => {
              const at = devices.get(user);
              if (at === undefined) throw new Error('no device');
              const page = await missed(user, at.place, limit);
              expect(page.items.length).toBeLessThanOrEqual(limit);
              for (const item of page.items) if (chats.includes(item.conversationId)) at.device.take(item);
              const places = [at.place, ...page.items.map(({ place }) => place), page.through];
              expect(places).toEqual(places.toSorted((a, b) => a - b));
              at.place = page.through;
              return page.isLast;
            };
            for (const [taken, chat, limit] of turns) {
              for (const next of taken) {
                if (next.what !== 'block' && next.what !== 'unblock')
                  take(story, chat === 0 ? both : alone, users, next);
              }
              await under.told();
              for (const user of users) await give(user, limit);
            }
            for (const user of users) {
              while (!(await give(user, 7)));
              const { device, place } = devices.get(user) ?? { device: new Device(), place: 0 };
              expect(place).toBe(story.place);
              for (const id of chats) {
                const expected = foldChat(story.events.slice(first), user, id)?.messages;
                expect(device.chats.get(id)?.texts).toEqual(expected?.map(([, state, text]) => [state, text]));
                for (const { userId, read } of (await under.inbox.members(user, id))?.members ?? []) {
                  if (read > 0) expect(device.marks.get(id + userId) ?? 0).toBeLessThanOrEqual(read);
                }
              }
            }
          },
        ),
        { numRuns: 40 },
      );
    });

    test('an item is what there is now, where its last event stands', async () => {
      const { story } = under;
      const [ada, bob, cleo] = [story.user(), story.user(), story.user()];
      const [group, left] = [story.group(bob, ada), story.group(bob, ada)];
      story.send(group, bob, 'held');
      const since = story.place;
      story.edit(group, bob, 1, 'once');
      story.send(group, bob, 'new', 1);
      story.edit(group, bob, 1, 'twice');
      story.remove(group, bob, 2);
      story.rename(group, bob, 'a name');
      story.add(group, bob, cleo);
      story.expel(left, bob, ada);
      story.send(left, bob, 'not hers');
      story.mark(group, ada, { read: 1 });
      story.mark(group, bob, { delivered: 2, read: 1 });
      await under.told();
      const at = (n: number): number => (since + n) * 1_000;
      const page = await missed(ada, since);
      expect(page).toMatchObject({ through: story.place, isLast: true });
      const ofGroup = { conversationId: group };
      expect(page.items).toMatchObject([
        { ...ofGroup, type: 'sent', seq: 2, content: null, deleted: true, replyTo: 1, time: at(2) },
        {
          ...ofGroup,
          type: 'changed',
          seq: 1,
          content: { text: 'twice' },
          deleted: false,
          version: 3,
          changedAt: at(3),
        },
        { ...ofGroup, type: 'changed', seq: 2, content: null, deleted: true, version: 4, changedAt: at(4) },
        {
          ...ofGroup,
          type: 'conversation',
          kind: 'group',
          name: 'a name',
          members: [{ userId: bob, role: 'admin' }, { userId: ada }, { userId: cleo, role: 'member' }],
          seq: 2,
          visibleFrom: 0,
          by: bob,
          version: 6,
        },
        { conversationId: left, type: 'ended', by: bob, time: at(7), version: 2 },
        {
          ...ofGroup,
          type: 'marks',
          visibleFrom: 0,
          memberCount: 3,
          time: at(10),
        },
      ]);
      const marks = page.items.flatMap((item) => (item.type === 'marks' ? item.marks : []));
      expect(new Map(marks.map(({ userId, delivered, read }) => [userId, [delivered, read]]))).toEqual(
        new Map([
          [ada, [1, 1]],
          [bob, [2, 1]],
        ]),
      );
      expect(typesOf(await missed(cleo, since))).toEqual(['conversation', 'marks']);
      expect(await missed(ada, story.place)).toEqual({ items: [], through: story.place, isLast: true });
      expect(await missed(ada, story.place + 7)).toEqual({ items: [], through: story.place + 7, isLast: true });
      expect(await missed(newUserId(), since)).toEqual({ items: [], through: story.place, isLast: true });
    });

    test('a busy chat leaves the pages to the quiet ones too, and long texts make them short', async () => {
      const { story } = under;
      const [ada, bob] = [story.user(), story.user()];
      const since = story.place;
      const [busy, ...quiet] = Array.from({ length: 12 }, () => story.group(bob, ada));
      if (busy === undefined) throw new Error('a busy one');
      for (let sent = 0; sent < 3_000; sent++) story.send(busy, bob, 'again');
      for (const id of quiet) story.send(id, bob, 'x'.repeat(300_000));
      await under.told();
      let pages = 0;
      const seen: string[] = [];
      for (let place = since, isLast = false; !isLast; pages++) {
        const page = await missed(ada, place, 500);
        const length = page.items.reduce(
          (sum, item) => sum + (item.type === 'sent' ? (textOf(item.content)?.length ?? 0) : 0),
          0,
        );
        expect(length).toBeLessThan(1_500_000);
        for (const item of page.items) if (item.type === 'sent') seen.push(`${item.conversationId} ${item.seq}`);
        ({ isLast, through: place } = page);
      }
      expect(seen).toHaveLength(3_011);
      expect(new Set(seen).size).toBe(3_011);
      expect(pages).toBeLessThan(20);
    });

    test('chats that were busy one after the other fill their pages as well', async () => {
      const { story } = under;
      const [ada, bob] = [story.user(), story.user()];
      const since = story.place;
      const chats = Array.from({ length: 60 }, () => story.group(bob, ada));
      for (const id of chats) for (let sent = 0; sent < 20; sent++) story.send(id, bob, 'again');
      await under.told();
      let pages = 0;
      let items = 0;
      for (let place = since, isLast = false; !isLast; pages++) {
        const page = await missed(ada, place, 100);
        items += page.items.length;
        ({ isLast, through: place } = page);
      }
      expect({ items, pages }).toEqual({ items: 60 * 21, pages: 13 });
    });

    test('D14: while a conversation is parked nobody is told, for who is in it the store does not know', async () => {
      const { story } = under;
      const [ada, bob] = [story.user(), story.user()];
      const broken = story.group(bob);
      story.unknown(conversationStream(broken), true);
      await under.told();
      expect(await under.inbox.missedAfter(ada, 1, 10)).toBeUndefined();
    });
  });
};
