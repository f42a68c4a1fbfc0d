import type { CommandAnswer } from './command-gateway.ts';
import type { PendingMark } from './receipts-turn.ts';

export interface PaceDeliveries<Id> {
  /** Gives the mark on, now or with others of its lane when their second is over. Each is answered. */
  add(lane: string, id: Id, pending: PendingMark): void;
  /** Gives everything on that is held. */
  flush(): void;
}

interface Held<Id> {
  readonly id: Id;
  pending: PendingMark | undefined;
  answers: ((answer: CommandAnswer) => void)[];
}

const betweenMs = 1_000;

/**
 * At most one mark a second that says only "delivered" for each lane, whatever its devices send, so that a client that
 * confirms every message by itself costs one event a second and not one a message. A mark that says "read" goes at once
 * and takes what is held along.
 */
export const paceDeliveries = <Id>(queue: (id: Id, pending: PendingMark) => void): PaceDeliveries<Id> => {
  /** The lanes of which a mark was given on less than a second ago. */
  const lanes = new Map<string, Held<Id>>();

  const release = (held: Held<Id>): void => {
    const { id, pending, answers } = held;
    if (pending === undefined) return;
    held.pending = undefined;
    held.answers = [];
    queue(id, {
      ...pending,
      answer(answer) {
        for (const one of answers) one(answer);
      },
    });
  };

  const secondIsOver = (lane: string, held: Held<Id>): void => {
    if (held.pending === undefined) lanes.delete(lane);
    else {
      release(held);
      setTimeout(secondIsOver, betweenMs, lane, held).unref();
    }
  };

  return {
    add(lane, id, pending) {
      const held = lanes.get(lane);
      const { mark } = pending;
      if (held !== undefined && mark.read === undefined) {
        const delivered = Math.max(mark.delivered ?? 0, held.pending?.mark.delivered ?? 0);
        held.pending = { ...pending, mark: { ...mark, delivered } };
        held.answers.push(pending.answer);
        return;
      }
      if (held === undefined && mark.read === undefined) {
        const began: Held<Id> = { id, pending: undefined, answers: [] };
        lanes.set(lane, began);
        setTimeout(secondIsOver, betweenMs, lane, began).unref();
      }
      queue(id, pending);
      if (held !== undefined) release(held);
    },
    flush() {
      for (const held of lanes.values()) release(held);
    },
  };
};
