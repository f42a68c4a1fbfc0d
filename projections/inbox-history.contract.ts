import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ConversationId, UserId } from '../schemas/ids.ts';
import type { MessagePage, PageFrom } from './inbox.ts';
import { InboxUnderTest, type NewInboxPlace } from './inbox-under-test.fixture.ts';
import { newCommandId, newConversationId, newUserId } from './story.fixture.ts';

export const inboxHistoryContract = (newPlace: NewInboxPlace): void => {
  describe('history', () => {
    const under = new InboxUnderTest(newPlace);
    beforeAll(() => under.begin());
    afterAll(() => under.end());

    const page = async (user: UserId, id: ConversationId, from: PageFrom, limit = 3): Promise<MessagePage> => {
      const found = await under.inbox.messages(user, id, from, limit);
      if (found === undefined) throw new Error('no such chat');
      return found;
    };
    const seqsOf = ({ messages, isFirst, isLast }: MessagePage) => ({
      seqs: messages.map(({ seq }) => seq),
      isFirst,
      isLast,
    });

    test('pages go before, after and around a seq and say whether there is more', async () => {
      const { story } = under;
      const [ada, bob] = [story.user(), story.user()];
      const id = story.group(ada, bob);
      for (let sent = 0; sent < 10; sent++) story.send(id, bob);
      await under.told();
      const at = async (from: PageFrom, limit?: number) => seqsOf(await page(ada, id, from, limit));
      expect(await at({ from: 'newest' })).toEqual({ seqs: [8, 9, 10], isFirst: false, isLast: true });
      expect(await at({ from: 'before', seq: 8 })).toEqual({ seqs: [5, 6, 7], isFirst: false, isLast: false });
      expect(await at({ from: 'before', seq: 3 })).toEqual({ seqs: [1, 2], isFirst: true, isLast: false });
      expect(await at({ from: 'before', seq: 1 })).toEqual({ seqs: [], isFirst: true, isLast: false });
      expect(await at({ from: 'before', seq: 1e15 })).toEqual({ seqs: [8, 9, 10], isFirst: false, isLast: true });
      expect(await at({ from: 'after', seq: 0 })).toEqual({ seqs: [1, 2, 3], isFirst: true, isLast: false });
      expect(await at({ from: 'after', seq: 8 })).toEqual({ seqs: [9, 10], isFirst: false, isLast: true });
      expect(await at({ from: 'after', seq: 10 })).toEqual({ seqs: [], isFirst: false, isLast: true });
      expect(await at({ from: 'around', seq: 5 })).toEqual({ seqs: [4, 5, 6], isFirst: false, isLast: false });
      expect(await at({ from: 'around', seq: 5 }, 4)).toEqual({ seqs: [4, 5, 6, 7], isFirst: false, isLast: false });
      expect(await at({ from: 'around', seq: 1 })).toEqual({ seqs: [1, 2, 3], isFirst: true, isLast: false });
      expect(await at({ from: 'around', seq: 10 })).toEqual({ seqs: [8, 9, 10], isFirst: false, isLast: true });
      expect(await at({ from: 'around', seq: 0 })).toEqual({ seqs: [1, 2, 3], isFirst: true, isLast: false });
      expect(await at({ from: 'around', seq: 99 })).toEqual({ seqs: [8, 9, 10], isFirst: false, isLast: true });
      expect(await at({ from: 'newest' }, 1e9)).toMatchObject({ isFirst: true, isLast: true });
      for (const limit of [0, -1]) expect((await at({ from: 'newest' }, limit)).seqs).toEqual([10]);
      const empty = story.group(ada);
      await under.told();
      for (const from of ['before', 'after', 'around'] as const) {
        expect(seqsOf(await page(ada, empty, { from, seq: 5 }))).toEqual({ seqs: [], isFirst: true, isLast: true });
      }
    });

    test('a message is the newest of its versions, under its seq and under its id', async () => {
      const { story } = under;
      const [ada, bob] = [story.user(), story.user()];
      const id = story.group(ada, bob);
      const place = { type: 'location' as const, latitude: 1.5, longitude: -2, label: 'é 東京 😀' };
      const { messageId } = story.send(id, bob, place);
      story.send(id, ada, 'x'.repeat(100_000), 1);
      story.edit(id, ada, 2, 'shorter');
      const editedAt = story.place * 1_000;
      story.edit(id, ada, 2, 'shorter still');
      story.send(id, ada, 'regretted');
      story.remove(id, ada, 3);
      await under.told();
      const [first, second, third] = (await page(bob, id, { from: 'newest' })).messages;
      expect(first).toMatchObject({ seq: 1, messageId, by: bob, version: 0, state: 'shown', content: place });
      expect(second).toMatchObject({
        seq: 2,
        version: 3,
        content: { type: 'text', text: 'shorter still' },
        replyTo: 1,
        editedAt: editedAt + 1_000,
      });
      expect(third).toMatchObject({ seq: 3, version: 4, state: 'deleted', content: null, by: ada });
      expect(await under.inbox.message(bob, id, { seq: 1 })).toEqual(first);
      expect(await under.inbox.message(ada, id, { messageId })).toEqual(first);
      expect(await under.inbox.message(ada, id, { seq: 3 })).toEqual(third);
      for (const which of [{ seq: 0 }, { seq: 4 }, { seq: -1 }, { messageId: newCommandId() }]) {
        expect(await under.inbox.message(ada, id, which)).toBeUndefined();
      }
      // Later in its stream is later in version, also for an edit of what was deleted.
      expect((await under.inbox.chat(ada, id))?.lastMessage).toEqual(third);
    });

    test('long texts come whole, make pages short, and are cut in a list', async () => {
      const { story } = under;
      const ada = story.user();
      const id = story.group(ada);
      const long = '😀'.repeat(100_000);
      for (let sent = 0; sent < 12; sent++) story.send(id, ada, long);
      await under.told();
      const newest = await page(ada, id, { from: 'newest' }, 200);
      expect(newest).toMatchObject({ isFirst: false, isLast: true });
      expect(newest.messages.map(({ seq }) => seq)).toEqual([8, 9, 10, 11, 12]);
      expect(newest.messages.every(({ content }) => content?.type === 'text' && content.text === long)).toBe(true);
      const around = await page(ada, id, { from: 'around', seq: 6 }, 200);
      expect(around.messages.map(({ seq }) => seq)).toContain(6);
      const seen: number[] = [];
      for (let place = 0, isLast = false; !isLast;) {
        const changes = await under.inbox.changesOf(ada, id, place, 200);
        if (changes === undefined) throw new Error('no such chat');
        seen.push(...changes.messages.map(({ message }) => message.seq));
        ({ isLast } = changes);
        place = changes.messages.at(-1)?.place ?? 0;
      }
      expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
      const preview = (await under.inbox.chat(ada, id))?.lastMessage;
      expect(preview).toMatchObject({ cut: true, content: { type: 'text', text: '😀'.repeat(200) } });
    });

    test('changes of a chat are messages as they are now, in the order of their last change', async () => {
      const { story } = under;
      const [ada, bob] = [story.user(), story.user()];
      const id = story.group(ada, bob);
      for (const text of ['one', 'two', 'three']) story.send(id, ada, text);
      const since = story.place;
      story.edit(id, ada, 2, 'TWO');
      story.send(id, bob, 'four');
      story.remove(id, ada, 1);
      story.edit(id, ada, 2, 'Two');
      await under.told();
      const changes = await under.inbox.changesOf(ada, id, since, 50);
      expect(changes?.messages.map(({ place, message }) => [place - since, message.seq, message.state])).toEqual([
        [2, 4, 'shown'],
        [3, 1, 'deleted'],
        [4, 2, 'shown'],
      ]);
      expect(changes?.messages[2]?.message.content).toEqual({ type: 'text', text: 'Two' });
      const first = await under.inbox.changesOf(ada, id, since, 1);
      expect(first).toMatchObject({ isLast: false, messages: [{ place: since + 2 }] });
      expect(await under.inbox.changesOf(ada, id, since + 2, 2)).toMatchObject({ isLast: true });
      expect(await under.inbox.changesOf(ada, id, story.place, 2)).toEqual({
        messages: [],
        isLast: true,
        incomplete: false,
      });
    });

    test('members say how far each has come and since when; marks never go back', async () => {
      const { story } = under;
      const [ada, bob, cleo] = [story.user(), story.user(), story.user()];
      const id = story.group(ada, bob);
      for (let sent = 0; sent < 5; sent++) story.send(id, ada);
      const [sentAt, joinedAt] = [story.place, story.place + 1];
      story.add(id, ada, cleo);
      story.mark(id, bob, { delivered: 4, read: 2 });
      story.mark(id, bob, { delivered: 3, read: 1 });
      story.mark(id, bob, { read: 3 });
      story.mark(id, cleo, { delivered: 5 });
      await under.told();
      const [at, time] = [joinedAt, 1_000];
      expect(await under.inbox.members(bob, id)).toEqual({
        incomplete: false,
        members: [
          {
            userId: ada,
            role: 'admin',
            visibleFrom: 0,
            delivered: 5,
            deliveredAt: sentAt * time,
            read: 5,
            readAt: sentAt * time,
          },
          {
            userId: bob,
            role: 'member',
            visibleFrom: 0,
            delivered: 4,
            deliveredAt: (at + 1) * time,
            read: 3,
            readAt: (at + 3) * time,
          },
          {
            userId: cleo,
            role: 'member',
            visibleFrom: 5,
            delivered: 5,
            deliveredAt: (at + 4) * time,
            read: 0,
            readAt: null,
          },
        ],
      });
    });

    test('I6: not there, never in it and no longer in it are the same answer to every question', async () => {
      const { story } = under;
      const [ada, bob, eve] = [story.user(), story.user(), story.user()];
      const id = story.group(ada, bob, eve);
      const { messageId } = story.send(id, ada);
      story.expel(id, ada, eve);
      story.leave(id, bob);
      await under.told();
      const strangers = [eve, bob, story.user(), newUserId()];
      await under.told();
      for (const [user, conversation] of [
        ...strangers.map((stranger) => [stranger, id] as const),
        [ada, newConversationId()] as const,
      ]) {
        const { inbox } = under;
        expect(
          await Promise.all([
            inbox.chat(user, conversation),
            inbox.messages(user, conversation, { from: 'newest' }, 10),
            inbox.message(user, conversation, { seq: 1 }),
            inbox.message(user, conversation, { messageId }),
            inbox.members(user, conversation),
            inbox.changesOf(user, conversation, 0, 10),
          ]),
        ).toEqual(Array(6).fill(undefined));
      }
      expect((await under.inbox.chats(eve, { cursor: null, limit: 10 })).chats).toEqual([]);
      expect((await under.inbox.members(ada, id))?.members.map(({ userId }) => userId)).toEqual([ada]);
    });

    test('I6: who comes back sees what was said since, and nothing of before or between', async () => {
      const { story } = under;
      const [ada, bob] = [story.user(), story.user()];
      const id = story.group(ada, bob);
      const { messageId } = story.send(id, ada, 'before');
      story.leave(id, bob);
      story.send(id, ada, 'between');
      story.add(id, ada, bob);
      await under.told();
      expect(await under.inbox.chat(bob, id)).toMatchObject({ seq: 2, visibleFrom: 2, unread: 0, lastMessage: null });
      story.send(id, ada, 'since');
      story.edit(id, ada, 1, 'before, edited');
      await under.told();
      expect(seqsOf(await page(bob, id, { from: 'newest' }, 50))).toEqual({ seqs: [3], isFirst: true, isLast: true });
      expect(seqsOf(await page(bob, id, { from: 'around', seq: 1 }, 50)).seqs).toEqual([3]);
      expect((await under.inbox.changesOf(bob, id, 0, 50))?.messages.map(({ message }) => message.seq)).toEqual([3]);
      for (const which of [{ seq: 1 }, { seq: 2 }, { messageId }]) {
        expect(await under.inbox.message(bob, id, which)).toBeUndefined();
      }
    });

    test('F7: messages of a person one blocks keep their seq and say nothing, until unblocking shows them', async () => {
      const { story } = under;
      const [ada, bob, cleo] = [story.user(), story.user(), story.user()];
      const id = story.group(ada, bob, cleo);
      story.send(id, ada, 'from Ada');
      story.send(id, bob, 'from Bob', 1);
      story.send(id, bob, 'another');
      story.edit(id, bob, 3, 'another one');
      story.block(ada, bob);
      await under.told();
      const statesOf = async (user: UserId) =>
        (await page(user, id, { from: 'newest' }, 10)).messages.map(({ state }) => state);
      expect(await statesOf(ada)).toEqual(['shown', 'hidden', 'hidden']);
      expect(await statesOf(cleo)).toEqual(['shown', 'shown', 'shown']);
      expect(await statesOf(bob)).toEqual(['shown', 'shown', 'shown']);
      const hidden = { state: 'hidden', content: null, replyTo: null, editedAt: null };
      expect(await under.inbox.message(ada, id, { seq: 2 })).toMatchObject(hidden);
      expect((await under.inbox.chat(ada, id))?.lastMessage).toMatchObject({ seq: 3, ...hidden });
      expect((await under.inbox.changesOf(ada, id, 0, 10))?.messages[2]?.message).toMatchObject(hidden);
      story.unblock(ada, bob);
      await under.told();
      expect(await statesOf(ada)).toEqual(['shown', 'shown', 'shown']);
      expect((await under.inbox.chat(ada, id))?.lastMessage).toMatchObject({
        content: { type: 'text', text: 'another one' },
      });
    });
  });
};
