import type { DatabaseSync } from 'node:sqlite';
import { numberIn } from './sqlite-inbox-file.ts';

/**
 * The last seq of a conversation whose message was sent up to a place, not looking below `low`, which was. In a
 * conversation places rise with the seqs, so it is sought from the newest on, where what is asked for mostly lies.
 */
export type SeqUpTo = (conversation: number, low: number, high: number, place: number) => number;

export const seqUpTo = (db: DatabaseSync): SeqUpTo => {
  const placeOf = db.prepare('SELECT place FROM message INDEXED BY message_by_seq WHERE conversation = ? AND seq = ?');
  return (conversation, low, high, place) => {
    const isUpTo = (seq: number): boolean => {
      const row = placeOf.get(conversation, seq);
      return row !== undefined && numberIn(row, 'place') <= place;
    };
    let [known, unknown] = [low, high + 1];
    for (let step = 1; unknown - known > 1; step *= 2) {
      const seq = Math.max(high + 1 - step, known + 1);
      if (isUpTo(seq)) {
        known = seq;
        break;
      }
      unknown = seq;
    }
    while (unknown - known > 1) {
      const middle = Math.floor((known + unknown) / 2);
      if (isUpTo(middle)) known = middle;
      else unknown = middle;
    }
    return known;
  };
};
