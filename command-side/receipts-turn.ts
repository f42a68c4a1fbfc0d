import { decideMarks, type Mark, type Receipts } from '../domain/receipts.ts';
import { newEventId, type ConversationId } from '../schemas/ids.ts';
import { markedAs, refused } from './answers.ts';
import type { Clock, RandomBytes } from './clock.ts';
import type { DecideItems, TurnItem } from './decide-in-turn.ts';

/** A mark in the queue of its conversation's receipts, of somebody who may set it. */
export interface PendingMark extends TurnItem {
  readonly mark: Mark;
}

/** All marks that wait together become one event. */
export const receiptsTurn =
  ({
    clock,
    randomBytes,
  }: {
    readonly clock: Clock;
    readonly randomBytes: RandomBytes;
  }): DecideItems<ConversationId, Receipts, PendingMark> =>
  (id, tip, items) => {
    const { event, reached } = decideMarks(
      tip.state,
      items.map(({ mark }) => mark),
    );
    const time = clock.now();
    const eventId = newEventId(time, randomBytes(10));
    return {
      count: items.length,
      events: event === undefined ? [] : [{ eventId, time, causationId: eventId, correlationId: eventId, event }],
      writers: () => items,
      settle(_, after) {
        for (const [index, { answer }] of items.entries()) {
          const marks = reached[index];
          if (marks !== undefined) answer(markedAs(id, marks, after.time, after.position));
        }
      },
      settleFailed(rejection) {
        for (const { answer } of items) answer(refused(rejection));
      },
      findOut: () => Promise.resolve(true),
    };
  };
