import type { ConversationId } from '../schemas/ids.ts';
import { messageRowAt, messageRowsIn, type ChatRow } from './cassandra-inbox-read.ts';
import type { InboxStore } from './cassandra-inbox-store.ts';
import { idBytes } from './inbox-codes.ts';
import { chunkOf, numberIn } from './cassandra-inbox-values.ts';

const lookedThrough = 64;
const firstStep = 64;
const growth = 8;

/**
 * The last seq of a conversation whose message was sent up to a place, not looking below `low`, which was. In a
 * conversation places rise with the seqs, so it is sought from the newest on, where what is asked for mostly lies.
 */
export const seqUpTo = async (
  store: InboxStore,
  conversation: ConversationId,
  low: number,
  high: number,
  place: number,
): Promise<number> => {
  const isUpTo = async (seq: number): Promise<boolean> => {
    const row = await messageRowAt(store, conversation, seq);
    return row !== undefined && numberIn(row, 'sent_place') <= place;
  };
  let [known, unknown] = [low, high + 1];
  for (let step = firstStep; unknown - known > lookedThrough; step *= growth) {
    const seq = Math.max(high + 1 - step, known + 1);
    if (await isUpTo(seq)) {
      known = seq;
      break;
    }
    unknown = seq;
  }
  while (unknown - known > lookedThrough) {
    const middle = Math.floor((known + unknown) / 2);
    if (await isUpTo(middle)) known = middle;
    else unknown = middle;
  }
  const range = { low: known + 1, high: unknown - 1, order: 'DESC' } as const;
  const rows = await messageRowsIn(store, conversation, range, lookedThrough, 'seq, sent_place');
  const found = rows.find((row) => numberIn(row, 'sent_place') <= place);
  return found === undefined ? known : numberIn(found, 'seq');
};

export interface ChangeAtPlace {
  readonly place: number;
  readonly seq: number;
}

/**
 * The edits and deletions after a place and up to another one, in their order; of a message that was changed again all of
 * them. `known` is a seq that was sent before: no change later than it lies in an earlier chunk.
 */
export async function* changesBetween(
  store: InboxStore,
  { conversation, revision, changedPlace }: ChatRow,
  known: number,
  after: number,
  upTo: number,
): AsyncGenerator<ChangeAtPlace, undefined> {
  if (changedPlace <= after) return undefined;
  const sent = known === 0 ? undefined : await messageRowAt(store, conversation, known);
  const first = sent === undefined ? 0 : chunkOf(numberIn(sent, 'revision'));
  for (let chunk = first; chunk <= chunkOf(revision); chunk++) {
    const rows = await store.rows(
      'change',
      'place, seq',
      'conversation = ? AND chunk = ? AND place > ? AND place <= ?',
      [idBytes(conversation), BigInt(chunk), BigInt(after), BigInt(upTo)],
    );
    for (const row of rows) yield { place: numberIn(row, 'place'), seq: numberIn(row, 'seq') };
  }
  return undefined;
}
