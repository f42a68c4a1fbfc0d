import type { DatabaseSync } from 'node:sqlite';
import { bucketSize } from './inbox-codes.ts';
import { numberIn, type Row } from './sqlite-inbox-file.ts';

const messagesOfSlice = 5_000;

/**
 * Takes from the file what erased people wrote. Nobody is shown it any more since the event of the erasure was applied; so
 * it goes piece by piece, between batches, for a million texts take seconds.
 */
export interface InboxErasing {
  /** Whether any of it is left. */
  isDue(): boolean;
  /** Takes about 5,000 messages away, inside the transaction of whoever calls. */
  slice(): void;
  /** The transaction of a slice was rolled back: it begins anew. */
  rolledBack(): void;
}

export const inboxErasing = (db: DatabaseSync): InboxErasing => {
  const first = db.prepare('SELECT user FROM erasing LIMIT 1');
  const done = db.prepare('DELETE FROM erasing WHERE user = ?');
  const bucketsOf = db.prepare(`SELECT sent.conversation, bucket FROM member
    JOIN sent ON sent.conversation = member.conversation AND sender = user WHERE user = ?`);
  const eraseTexts = db.prepare(`UPDATE message SET content = NULL
    WHERE conversation = ? AND seq BETWEEN ? AND ? AND sender = ? AND content IS NOT NULL`);

  let user: number | undefined;
  let buckets: Row[] = [];

  const begin = (): void => {
    const row = first.get();
    user = row && numberIn(row, 'user');
    buckets = user === undefined ? [] : bucketsOf.all(user);
  };
  return {
    isDue: () => first.get() !== undefined,
    slice() {
      if (user === undefined) begin();
      if (user === undefined) return;
      for (let left = messagesOfSlice; left > 0;) {
        const row = buckets.pop();
        if (row === undefined) {
          done.run(user);
          user = undefined;
          return;
        }
        const from = numberIn(row, 'bucket') * bucketSize;
        const { changes } = eraseTexts.run(numberIn(row, 'conversation'), from, from + bucketSize - 1, user);
        // Looking through a bucket that holds little of it costs too.
        left -= Number(changes) + 50;
      }
    },
    rolledBack() {
      user = undefined;
    },
  };
};
