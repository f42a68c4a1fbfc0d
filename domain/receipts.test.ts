import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Seq, UserId } from '../schemas/ids.ts';
import type { ReceiptsEvent } from '../schemas/receipts-events.ts';
import { foldMembership } from './membership.ts';
import { added, left, recorded, removed, sent, startedGroup, stateOf, user, type Happening } from './given.ts';
import { receiptsFromSnapshot, receiptsToSnapshot } from './receipts-snapshot.ts';
import { decideMarks, evolveReceipts, refuseMark, type Mark, type Receipts } from './receipts.ts';

const [ann, bob, cy] = [user('ann'), user('bob'), user('cy')];
const mark = (by: UserId, delivered?: Seq, read?: Seq): Mark => ({ by, delivered, read });
const at = (userId: UserId, delivered: Seq, read: Seq) => ({ userId, delivered, read });
const marksOf = (...marks: readonly ReturnType<typeof at>[]): Receipts =>
  new Map(marks.map(({ userId, delivered, read }) => [userId, { delivered, read }]));

describe('marks that wait together', () => {
  test.each<[string, { given: Receipts; when: readonly Mark[]; then: ReceiptsEvent['marks'] | undefined }]>([
    ['F25: a first one is written', { given: marksOf(), when: [mark(ann, 3)], then: [at(ann, 3, 0)] }],
    ['F24: read is delivered too', { given: marksOf(), when: [mark(ann, undefined, 4)], then: [at(ann, 4, 4)] }],
    [
      'F24: what was delivered further stays so when less is read',
      { given: marksOf(at(ann, 9, 2)), when: [mark(ann, undefined, 4)], then: [at(ann, 9, 4)] },
    ],
    ['I8: an earlier one writes nothing', { given: marksOf(at(ann, 5, 5)), when: [mark(ann, 4, 5)], then: undefined }],
    [
      'those of several users, and several of one, become one event with a mark for each who advances',
      {
        given: marksOf(at(cy, 7, 7)),
        when: [mark(ann, 3), mark(bob, 2, 1), mark(ann, 5), mark(cy, 6), mark(ann, 4, 4)],
        then: [at(ann, 5, 4), at(bob, 2, 1)],
      },
    ],
  ])('%s', (_, { given, when, then }) => {
    expect(decideMarks(given, when).event).toEqual(then && { type: 'receipts-advanced', marks: then });
  });

  test('each is answered with where its user stands after it', () => {
    const { reached } = decideMarks(marksOf(at(ann, 5, 5)), [
      mark(ann, 2),
      mark(bob, 3),
      mark(ann, 8),
      mark(ann, 6, 6),
    ]);
    expect(reached.map(({ delivered, read }) => [delivered, read])).toEqual([
      [5, 5],
      [3, 0],
      [8, 5],
      [8, 6],
    ]);
  });
});

describe('M2: who may mark what', () => {
  const group = startedGroup(ann, bob);
  test.each<[string, { given: readonly Happening[]; when: Mark; then: string | undefined }]>([
    ['a member marks up to the last message', { given: [group, sent(ann)], when: mark(bob, 1, 1), then: undefined }],
    ['not what is not there yet', { given: [group, sent(ann)], when: mark(bob, 2), then: 'message_not_found' }],
    [
      'neither of the two may be ahead',
      { given: [group, sent(ann)], when: mark(bob, 1, 2), then: 'message_not_found' },
    ],
    ['nobody marks in a missing conversation', { given: [], when: mark(bob, 1), then: 'conversation_not_found' }],
    ['no stranger', { given: [group, sent(ann)], when: mark(cy, 1), then: 'conversation_not_found' }],
    [
      'nobody who was removed',
      { given: [group, sent(ann), removed(ann, bob)], when: mark(bob, 1), then: 'conversation_not_found' },
    ],
    ['nobody who left', { given: [group, sent(ann), left(bob)], when: mark(bob, 1), then: 'conversation_not_found' }],
    [
      'not what came before the present membership',
      { given: [group, sent(ann), added(ann, cy), sent(ann)], when: mark(cy, 1), then: 'message_not_found' },
    ],
    [
      'but what came after it began',
      { given: [group, sent(ann), added(ann, cy), sent(ann)], when: mark(cy, 2), then: undefined },
    ],
  ])('%s', (_, { given, when, then }) => {
    const { state } = stateOf(foldMembership({ state: undefined, revision: -1 }, recorded(...given)));
    expect(refuseMark(state, when)?.code).toBe(then);
  });
});

const anyMark = fc.record({
  by: fc.constantFrom(ann, bob, cy),
  delivered: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
  read: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
});

/** Everything that was written for marks that came in these batches. */
const written = (batches: readonly (readonly Mark[])[]): { events: ReceiptsEvent[]; state: Receipts } => {
  let state: Receipts = new Map();
  const events = batches.flatMap((batch) => {
    const { event } = decideMarks(state, batch);
    if (event === undefined) return [];
    state = evolveReceipts(state, event);
    return [event];
  });
  return { events, state };
};

test('M2, I8: shuffled, doubled and cut into batches in any way, marks end at each user’s maximum and never move back', () => {
  fc.assert(
    fc.property(
      fc.array(anyMark, { maxLength: 30 }),
      fc.array(fc.nat(4), { minLength: 1 }),
      fc.nat(),
      (marks, sizes, turn) => {
        const shuffled = [...marks.slice(turn % (marks.length + 1)), ...marks, ...marks.toReversed()];
        const batches: Mark[][] = [];
        while (shuffled.length > 0) batches.push(shuffled.splice(0, 1 + (sizes[batches.length % sizes.length] ?? 0)));
        const { events, state } = written(batches);
        const last = new Map<UserId, readonly [number, number]>();
        for (const { userId, delivered, read } of events.flatMap((event) => event.marks)) {
          const [before, readBefore] = last.get(userId) ?? [0, 0];
          expect(delivered >= before && read >= readBefore && delivered + read > before + readBefore).toBe(true);
          expect(delivered).toBeGreaterThanOrEqual(read);
          last.set(userId, [delivered, read]);
        }
        for (const one of [ann, bob, cy]) {
          const own = marks.filter(({ by }) => by === one);
          const read = Math.max(0, ...own.map((said) => said.read ?? 0));
          const delivered = Math.max(read, ...own.map((said) => said.delivered ?? 0));
          expect(state.get(one) ?? { delivered: 0, read: 0 }).toEqual({ delivered, read });
        }
      },
    ),
  );
});

test('I8: a fold gives the same in whatever order it meets the events, and a snapshot gives it back', () => {
  fc.assert(
    fc.property(fc.array(fc.array(anyMark, { maxLength: 5 }), { maxLength: 10 }), (batches) => {
      const { events, state } = written(batches);
      const again = [...events.toReversed(), ...events].reduce<Receipts>(evolveReceipts, new Map());
      expect(again).toEqual(state);
      expect(receiptsFromSnapshot(receiptsToSnapshot(state))).toEqual(state);
    }),
  );
});
