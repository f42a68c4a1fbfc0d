import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ConversationId, UserId } from '../schemas/ids.ts';
import { BadCursor, type ChangeAt, type Chat } from './inbox.ts';
import { InboxUnderTest, type NewInboxPlace } from './inbox-under-test.fixture.ts';
import { newUserId } from './story.fixture.ts';

export const inboxChatsContract = (newPlace: NewInboxPlace): void => {
  describe('the list of chats', () => {
    const under = new InboxUnderTest(newPlace);
    beforeAll(() => under.begin());
    afterAll(() => under.end());

    const firstPage = { cursor: null, limit: 50 };
    const chatsOf = async (user: UserId): Promise<readonly Chat[]> => (await under.inbox.chats(user, firstPage)).chats;
    const chatOf = async (user: UserId, id: ConversationId): Promise<Chat> => {
      const chat = await under.inbox.chat(user, id);
      if (chat === undefined) throw new Error('no such chat');
      return chat;
    };

    test('a chat has everything a list shows', async () => {
      const { story } = under;
      const [ada, bob] = [story.user('Ada'), story.user('Bob')];
      const group = story.group(ada, bob);
      story.rename(group, ada, 'Engines');
      story.send(group, ada, 'first');
      const { messageId } = story.send(group, bob, 'second', 1);
      const sentAt = story.place * 1_000;
      story.mark(group, ada, { delivered: 2, read: 1 });
      story.settings(ada, group, { mutedUntil: 7, pinned: true });
      const direct = story.direct(bob, ada);
      await under.told();
      expect(await chatOf(ada, group)).toEqual({
        conversationId: group,
        kind: 'group',
        name: 'Engines',
        peer: null,
        role: 'admin',
        memberCount: 2,
        seq: 2,
        visibleFrom: 0,
        version: 2,
        lastMessage: {
          seq: 2,
          messageId,
          by: bob,
          time: sentAt,
          version: 0,
          state: 'shown',
          content: { type: 'text', text: 'second' },
          replyTo: 1,
          editedAt: null,
          cut: false,
        },
        activeAt: sentAt,
        delivered: 2,
        read: 1,
        unread: 1,
        mutedUntil: 7,
        pinned: true,
        archived: false,
        place: story.place - 1,
        incomplete: false,
      });
      expect(await chatOf(ada, direct)).toMatchObject({
        kind: 'direct',
        name: null,
        peer: bob,
        role: 'member',
        seq: 0,
        version: 1,
        lastMessage: null,
        activeAt: story.place * 1_000,
        unread: 0,
        place: story.place,
      });
      expect(await chatsOf(ada)).toEqual([await chatOf(ada, direct), await chatOf(ada, group)]);
    });

    test('the newest activity comes first: a message, or that one joined; not an edit, a mark or a setting', async () => {
      const { story } = under;
      const [ada, bob] = [story.user(), story.user()];
      const [one, two, three] = [story.group(ada, bob), story.group(ada, bob), story.group(bob)];
      story.send(one, ada);
      story.send(two, bob);
      story.send(three, bob);
      story.edit(one, ada, 1, 'better');
      story.mark(one, ada, { read: 1 });
      story.settings(ada, one, { pinned: true });
      story.rename(one, ada, 'a name');
      await under.told();
      expect((await chatsOf(ada)).map((chat) => chat.conversationId)).toEqual([two, one]);
      story.add(three, bob, ada);
      await under.told();
      expect((await chatsOf(ada)).map((chat) => chat.conversationId)).toEqual([three, two, one]);
    });

    test('pages are stable while messages come in: whoever stays behind the cursor comes exactly once', async () => {
      const { story } = under;
      const [ada, bob] = [story.user(), story.user()];
      const groups = Array.from({ length: 23 }, () => story.group(ada, bob));
      for (const group of groups) story.send(group, bob);
      await under.told();
      const seen: ConversationId[] = [];
      let cursor: string | null = null;
      let page = 0;
      do {
        const { chats, next } = await under.inbox.chats(ada, { cursor, limit: 5 });
        expect(chats.length).toBeLessThanOrEqual(5);
        seen.push(...chats.map((chat) => chat.conversationId));
        cursor = next;
        // Those on the first page move to the front again and again.
        for (const group of groups.slice(18)) story.send(group, bob);
        await under.told();
        page++;
      } while (cursor !== null);
      expect(page).toBe(5);
      expect(seen).toEqual(groups.toReversed());
    });

    test('archived and pinned chats can be asked for; a later message brings an archived one back', async () => {
      const { story } = under;
      const [ada, bob] = [story.user(), story.user()];
      const [archived, pinned, plain] = [story.group(ada, bob), story.group(ada, bob), story.group(ada, bob)];
      story.send(archived, bob);
      story.settings(ada, archived, { archivedAt: 1 });
      story.settings(ada, pinned, { pinned: true });
      await under.told();
      const ids = async (filter: { readonly archived?: boolean; readonly pinned?: boolean }) =>
        (await under.inbox.chats(ada, { ...firstPage, ...filter })).chats.map((chat) => chat.conversationId);
      expect(await ids({ archived: true })).toEqual([archived]);
      expect(await ids({ archived: false })).toEqual([plain, pinned]);
      expect(await ids({ pinned: true })).toEqual([pinned]);
      expect(await ids({ pinned: false })).toEqual([archived, plain]);
      expect(await under.inbox.totalUnread(ada)).toMatchObject({ unread: 0, chats: 0 });
      story.send(archived, bob);
      await under.told();
      expect(await ids({ archived: true })).toEqual([]);
      expect(await under.inbox.totalUnread(ada)).toMatchObject({ unread: 2, chats: 1 });
      expect((await chatsOf(bob)).every((chat) => !chat.archived && !chat.pinned)).toBe(true);
    });

    test('users are isolated: nobody has the chats, settings, marks and blocks of another', async () => {
      const { story } = under;
      const [ada, bob, eve] = [story.user(), story.user(), story.user()];
      const secret = story.group(ada, bob);
      story.send(secret, ada, 'between us');
      story.settings(ada, secret, { pinned: true, mutedUntil: 9 });
      story.mark(secret, ada, { read: 1 });
      story.block(ada, eve);
      await under.told();
      expect(await chatsOf(eve)).toEqual([]);
      expect(await chatsOf(newUserId())).toEqual([]);
      expect(await under.inbox.totalUnread(eve)).toEqual({ unread: 0, chats: 0, incomplete: false });
      expect(await under.inbox.blocks(eve)).toEqual([]);
      expect(await under.inbox.blocks(ada)).toEqual([eve]);
      expect(await under.inbox.changesAfter(eve, 1, 50)).toEqual({ changes: [], through: 1, isLast: true });
      expect(await chatOf(bob, secret)).toMatchObject({ pinned: false, mutedUntil: 0, read: 0, unread: 1 });
    });

    test('limits are clamped, and what is no cursor of a list is refused', async () => {
      const { story } = under;
      const ada = story.user();
      for (let made = 0; made < 205; made++) story.group(ada);
      await under.told();
      const lengthOf = async (limit: number) => (await under.inbox.chats(ada, { cursor: null, limit })).chats.length;
      expect(await Promise.all([0, -1, NaN, 1.9, 1e9, Infinity].map(lengthOf))).toEqual([1, 1, 1, 1, 200, 200]);
      for (const cursor of ['', '1.', '2.zz', '1.zzzzzzzzzzzz', "1.1' OR 1=1", '1.-5', '\u0000']) {
        await expect(under.inbox.chats(ada, { cursor, limit: 5 })).rejects.toThrow(BadCursor);
      }
    });

    test('a returning device learns which chats changed, each once and newest last, and which ended', async () => {
      const { story } = under;
      const [ada, bob] = [story.user(), story.user()];
      const [quiet, edited, marked, set, left] = [1, 2, 3, 4, 5].map(() => story.group(bob, ada));
      if (!quiet || !edited || !marked || !set || !left) throw new Error('five groups');
      for (const group of [quiet, edited, marked, set, left]) story.send(group, bob);
      const since = story.place;
      story.edit(edited, bob, 1, 'better');
      story.mark(marked, bob, { read: 1 });
      story.settings(ada, set, { pinned: true });
      story.expel(left, bob, ada);
      story.send(left, bob, 'after she left');
      const fresh = story.group(bob, ada);
      await under.told();
      const { changes, through, isLast } = await under.inbox.changesAfter(ada, since, 50);
      expect({ through, isLast }).toEqual({ through: story.place, isLast: true });
      const idOf = (change: ChangeAt) => (change.type === 'chat' ? change.chat.conversationId : undefined);
      expect(changes.map(idOf)).toEqual([edited, marked, set, undefined, fresh]);
      expect(changes[3]).toEqual({ type: 'ended', place: since + 4, conversationId: left });
      const places = changes.map(({ place }) => place);
      expect(places).toEqual(places.toSorted((a, b) => a - b));
      const firstTwo = await under.inbox.changesAfter(ada, since, 2);
      expect(firstTwo).toEqual({ changes: changes.slice(0, 2), through: changes[1]?.place, isLast: false });
      const rest = await under.inbox.changesAfter(ada, firstTwo.through, 50);
      expect(rest).toEqual({ changes: changes.slice(2), through: story.place, isLast: true });
      const none = { changes: [], through: story.place, isLast: true };
      expect(await under.inbox.changesAfter(ada, story.place, 50)).toEqual(none);
    });

    test('a returning device learns whose text is gone, who calls itself otherwise, and that it blocks others', async () => {
      const { story } = under;
      const [ada, bob, left, stranger] = [story.user(), story.user('Bob'), story.user('Left'), story.user('Stranger')];
      const [one, two] = [story.group(ada, bob, left), story.group(ada, bob)];
      for (const id of [one, two, one]) story.send(id, bob, 'soon gone');
      story.leave(one, left);
      story.group(bob, stranger);
      await under.told();
      const since = story.place;
      story.profile(bob, { displayName: 'Bobby' });
      story.profile(stranger, { displayName: 'Nobody she knows' });
      story.profile(left, { displayName: 'Left, long ago' });
      story.block(ada, left);
      story.erase(bob);
      story.unblock(ada, left);
      await under.told();
      const bobNow = { userId: bob, displayName: null, statusText: null, erased: true };
      const leftNow = { userId: left, displayName: 'Left, long ago', statusText: null, erased: false };
      const changes: readonly ChangeAt[] = [
        { type: 'profile', place: since + 3, profile: leftNow },
        { type: 'profile', place: since + 5, profile: bobNow },
        { type: 'blocks', place: since + 6 },
      ];
      expect(await under.inbox.changesAfter(ada, since, 50)).toEqual({
        changes,
        through: story.place,
        isLast: true,
      });
      const pages: ChangeAt[] = [];
      for (let page = await under.inbox.changesAfter(ada, since, 1); ;) {
        pages.push(...page.changes);
        if (page.isLast) break;
        page = await under.inbox.changesAfter(ada, page.through, 1);
      }
      expect(pages).toEqual(changes);
      expect((await under.inbox.chat(ada, one))?.lastMessage).toMatchObject({ by: bob, state: 'shown', content: null });
      // Who begins with nothing is given chats alone.
      const first = await under.inbox.changesAfter(ada, 0, 50);
      expect(first.changes.map(({ type }) => type)).toEqual(['chat', 'chat']);
      expect(await under.inbox.changesAfter(newUserId(), since, 50)).toMatchObject({ changes: [], isLast: true });
    });

    test('a page of changes looks at so many people and no more, and goes on behind them', async () => {
      const { story } = under;
      const [ada, friend] = [story.user(), story.user()];
      const id = story.group(ada, friend);
      await under.told();
      const since = story.place;
      for (let others = 0; others < 600; others++) story.user(`stranger ${others}`);
      story.send(id, friend, 'here');
      story.profile(friend, { displayName: 'friend' });
      await under.told();
      const page = await under.inbox.changesAfter(ada, since, 50);
      expect(page).toMatchObject({ changes: [], isLast: false });
      const { changes, isLast } = await under.inbox.changesAfter(ada, page.through, 50);
      expect(changes.map(({ type }) => type)).toEqual(['chat', 'profile']);
      expect(isLast).toBe(true);
      const chats = await under.inbox.chatsAfter(ada, since, 50);
      expect(chats).toEqual({ changes: [changes[0]], through: changes[0]?.place, isLast: true });
    });

    test('profiles show what people said of themselves, and nothing of those nobody registered', async () => {
      const { story } = under;
      const [ada, bob, gone, stranger] = [story.user('Ada'), story.user(), story.user('Gone'), newUserId()];
      story.profile(ada, { displayName: 'Ada L.', statusText: '🎩' });
      story.group(bob, stranger);
      story.erase(gone);
      story.profile(gone, { displayName: 'back again' });
      await under.told();
      expect(await under.inbox.profiles([bob, stranger, ada, gone])).toEqual([
        { userId: bob, displayName: null, statusText: null, erased: false },
        { userId: ada, displayName: 'Ada L.', statusText: '🎩', erased: false },
        { userId: gone, displayName: null, statusText: null, erased: true },
      ]);
    });
  });
};
