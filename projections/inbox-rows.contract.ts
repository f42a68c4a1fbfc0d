import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ConversationId, UserId } from '../schemas/ids.ts';
import { conversationStream, presenceStream, receiptsStream, subjectOf, userStream } from '../schemas/streams.ts';
import { dumpHash, InboxUnderTest, type NewInboxPlace } from './inbox-under-test.fixture.ts';
import type { FollowedBatch } from './read-model.ts';
import { newCommandId, newConversationId, newUserId, type Story } from './story.fixture.ts';

/** A little of everything. */
const tellALot = (story: Story): ConversationId => {
  const [ada, bob, cleo] = [story.user('Ada'), story.user('Bob'), story.user()];
  const id = story.group(ada, bob);
  story.rename(id, ada, 'a name');
  const direct = story.direct(ada, cleo);
  for (let sent = 0; sent < 40; sent++) {
    story.send(sent % 3 === 0 ? direct : id, sent % 2 === 0 ? ada : bob, `text ${sent}`);
    if (sent % 10 === 3) story.edit(id, bob, 1 + (sent % 2), `edited ${sent}`);
    if (sent % 10 === 7) story.remove(id, ada, sent / 2 - 0.5);
    if (sent % 10 === 5) story.mark(id, bob, { read: sent / 5 });
  }
  story.settings(ada, id, { pinned: true, archivedAt: 3 });
  story.block(ada, cleo);
  story.block(ada, bob);
  story.unblock(ada, bob);
  story.online(ada);
  story.announce(bob, 'busy', 'at work');
  story.online(bob);
  story.offline(ada, 7);
  story.add(id, ada, cleo);
  story.leave(id, bob);
  story.erase(bob);
  return id;
};

export const inboxRowsContract = (newPlace: NewInboxPlace): void => {
  describe('rows and position', () => {
    const under = new InboxUnderTest(newPlace);
    beforeEach(() => under.begin());
    afterEach(() => under.end());

    const inBatches = (story: Story, sizes: readonly number[]): FollowedBatch[] => {
      const batches: FollowedBatch[] = [];
      for (let from = 0, turn = 0; from < story.events.length; turn++) {
        const size = sizes[turn % sizes.length] ?? 1;
        const events = story.events.slice(from, from + size);
        batches.push(story.batchOf(events, from + events.length));
        from += size;
      }
      return batches;
    };

    test('the position is that of the last batch, also after reopening; of nothing there is none', async () => {
      expect(await under.writer.position()).toBeUndefined();
      tellALot(under.story);
      const batch = under.story.batch();
      await under.writer.apply(batch);
      const before = await dumpHash(under.writer);
      await under.reopen();
      expect((await under.writer.position())?.applied).toEqual(batch.through);
      expect(await dumpHash(under.writer)).toBe(before);
      const later = { ...batch.through, n: batch.through.n + 9, place: batch.through.place + 9 };
      await under.writer.apply({ events: [], through: later });
      expect((await under.writer.position())?.applied).toEqual(later);
    });

    test('the same batch twice is the same as once, and so are all from any earlier position', async () => {
      tellALot(under.story);
      const batches = inBatches(under.story, [7]);
      for (const batch of batches) await under.writer.apply(batch);
      const once = await dumpHash(under.writer);
      for (const batch of [batches.at(-1), ...batches]) if (batch !== undefined) await under.writer.apply(batch);
      await under.writer.apply(under.story.batchOf(under.story.events, under.story.events.length));
      expect(await dumpHash(under.writer)).toBe(once);
    });

    test('I7 X2: batches of any size give the same rows', async () => {
      tellALot(under.story);
      const whole = await under.hashOf(inBatches(under.story, [Infinity]));
      await fc.assert(
        fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 }), async (sizes) => {
          expect(await under.hashOf(inBatches(under.story, sizes))).toBe(whole);
        }),
        { numRuns: 6, examples: [[[1]]] },
      );
    });

    test('I8: marks that come out of order leave the greatest', async () => {
      const { story } = under;
      const [ada, bob] = [story.user(), story.user()];
      const id = story.group(ada, bob);
      for (let sent = 0; sent < 9; sent++) story.send(id, ada);
      for (const read of [5, 2, 7, 7, 1]) story.mark(id, bob, { read });
      await under.told();
      expect(await under.inbox.chat(bob, id)).toMatchObject({ read: 7, delivered: 7, unread: 2 });
    });

    test('D14: an event that cannot be projected parks its stream alone; a retry folds it anew', async () => {
      const { story } = under;
      const [ada, bob] = [story.user(), story.user()];
      const [broken, whole] = [story.group(ada, bob), story.group(ada, bob)];
      story.send(broken, ada, 'before');
      const poison = story.unknown(conversationStream(broken), true);
      story.send(broken, ada, 'after');
      story.mark(broken, ada, { read: 1 });
      story.send(whole, ada, 'goes on');
      story.unknown(conversationStream(whole), false);
      story.send(whole, ada, 'and on');
      const { parked } = await under.writer.apply(story.batch());
      const { stream, revision, position } = poison;
      expect(parked).toMatchObject([{ stream, revision, n: position.n }]);
      expect(parked[0]?.error).toContain('from-the-future');
      await under.reopen();
      expect(await under.writer.parked()).toEqual(parked);
      story.send(broken, ada, 'later still');
      expect(await under.writer.apply(story.batch())).toEqual({ parked: [] });
      expect(await under.inbox.chat(bob, broken)).toMatchObject({ seq: 1, incomplete: true });
      expect(await under.inbox.messages(bob, broken, { from: 'newest' }, 9)).toMatchObject({ incomplete: true });
      expect(await under.inbox.changesOf(bob, broken, 0, 9)).toMatchObject({ incomplete: true });
      expect(await under.inbox.members(bob, broken)).toMatchObject({ incomplete: true });
      expect(await under.inbox.chat(bob, whole)).toMatchObject({ seq: 2, unread: 2, incomplete: false });
      expect((await under.inbox.findCommand(broken, newCommandId())).safe).toBe(0);

      const pages = (known: boolean): AsyncIterable<FollowedBatch> =>
        (async function* () {
          const events = story.ofStream(stream).map((event) => (known ? { ...event, critical: false } : event));
          for (const event of events) yield story.batchOf([event], event.position.n);
        })();
      await under.writer.refold(stream, pages(false));
      expect(await under.writer.parked()).toEqual(parked);
      await under.writer.refold(stream, pages(true));
      expect(await under.writer.parked()).toEqual([]);
      expect(await under.inbox.chat(bob, broken)).toMatchObject({ seq: 3, unread: 3, incomplete: false });
      story.send(broken, ada, 'and it goes on');
      await under.told();
      expect(await under.inbox.chat(bob, broken)).toMatchObject({ seq: 4, unread: 4 });
    });

    test('D14 I2: a retry cut short leaves no rows that pass for whole: the stream is parked, also if it was not', async () => {
      const { story } = under;
      const ada = story.user();
      const id = story.group(ada);
      const { messageId } = story.send(id, ada, 'sent before');
      await under.told();
      const before = await dumpHash(under.writer);
      const stream = conversationStream(id);
      await expect(
        under.writer.refold(
          stream,
          (async function* () {
            for (const event of story.ofStream(stream).slice(0, 1)) yield story.batchOf([event], event.position.n);
            await Promise.reject(new Error('the log is away'));
          })(),
        ),
      ).rejects.toThrow('the log is away');
      await under.reopen();
      expect(await under.writer.parked()).toMatchObject([{ stream }]);
      expect(await under.inbox.findCommand(id, messageId)).toMatchObject({ safe: 0 });
      await under.writer.refold(
        stream,
        (async function* () {
          for (const event of story.ofStream(stream)) yield story.batchOf([event], event.position.n);
        })(),
      );
      expect(await under.writer.parked()).toEqual([]);
      expect(await dumpHash(under.writer)).toBe(before);
    });

    test('a retry of any stream gives what was there', async () => {
      const { story } = under;
      const id = tellALot(story);
      await under.told();
      const before = await dumpHash(under.writer);
      const user = story.events[0]?.stream ?? userStream(newUserId());
      const present = presenceStream(subjectOf(user) as UserId);
      for (const stream of [conversationStream(id), receiptsStream(id), user, present]) {
        await under.writer.refold(
          stream,
          (async function* () {
            for (const event of story.ofStream(stream)) yield story.batchOf([event], event.position.n);
          })(),
        );
      }
      expect(await dumpHash(under.writer)).toBe(before);
    });

    test('a person who was erased is gone from every row; what others said stays', async () => {
      const { story } = under;
      const [ada, bob] = [story.user('Ada'), story.user('Bob canary')];
      const id = story.group(ada, bob);
      story.announce(bob, 'away', 'a canary at large');
      story.send(id, bob, 'a canary');
      story.send(id, bob, { type: 'location', latitude: 1, longitude: 1, label: 'canary wharf' });
      story.send(id, ada, 'stays');
      story.send(id, bob, 'deleted before');
      story.remove(id, bob, 4);
      await under.told();
      story.erase(bob);
      story.send(id, bob, 'a late canary');
      story.edit(id, bob, 1, 'an edited canary');
      story.announce(bob, 'busy', 'a canary again');
      await under.told();
      const page = await under.inbox.messages(ada, id, { from: 'newest' }, 10);
      expect(page?.messages.map(({ state, content }) => [state, content])).toEqual([
        ['shown', null],
        ['shown', null],
        ['shown', { type: 'text', text: 'stays' }],
        ['deleted', null],
        ['shown', null],
      ]);
      await expect.poll(() => under.writer.holdsErased()).toBe(false);
      const lines: string[] = [];
      for await (const line of under.writer.dump()) lines.push(line);
      expect(lines.filter((line) => /canary/.test(line))).toEqual([]);
      // A rebuild after the key is gone meets the same.
      const keyless = story.events.map((event) => {
        const said = event.event;
        if (said?.type === 'status-announced') return { ...event, event: { ...said, text: null } };
        if (event.stream === userStream(bob) && said?.type === 'profile-changed')
          return { ...event, event: { ...said, profile: null } };
        return said !== undefined && 'content' in said && said.by === bob
          ? { ...event, event: { ...said, content: null } }
          : event;
      });
      expect(await under.hashOf([story.batchOf(keyless, keyless.length)])).toBe(await dumpHash(under.writer));
    });

    test('the id of every command is found, at the first of its events', async () => {
      const { story } = under;
      const [ada, bob] = [story.user(), story.user()];
      const id = story.group(ada);
      const { messageId } = story.send(id, ada);
      story.add(id, ada, bob);
      const events = story.ofStream(conversationStream(id));
      await under.told();
      // What is safe may be older than what is applied.
      const safe = (await under.writer.position())?.safe?.place ?? 0;
      expect(safe).toBeLessThanOrEqual(story.place);
      for (const { event, revision } of events) {
        if (event === undefined || !('commandId' in event)) throw new Error('no command');
        expect(await under.inbox.findCommand(id, event.commandId)).toEqual({ revision, safe });
      }
      expect(await under.inbox.findCommand(id, newCommandId())).toEqual({ revision: undefined, safe });
      expect(await under.inbox.findCommand(newConversationId(), messageId)).toEqual({ revision: undefined, safe });
    });
  });
};
