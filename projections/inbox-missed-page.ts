import type { Message, MissedItem } from './inbox.ts';
import { lengthOf } from './inbox-history-page.ts';

/** So that the frames of a page fit where frames wait for a socket; in UTF-16 units. */
export const pageRoom = 524_288;

/** What an item takes of it beside its text: about as much as its frame. */
export const itemSize = 200;
const memberSize = 50;
export const sizeOfConversation = (members: number): number => itemSize + memberSize * members;
export const sizeOfMessage = (message: Pick<Message, 'content'>): number => itemSize + lengthOf(message);

/** `MissedItem` without where it stands. */
export type Item = MissedItem extends infer One ? (One extends MissedItem ? Omit<One, 'place'> : never) : never;

export interface SizedItem {
  readonly item: Item;
  readonly size: number;
}

/** Rows are looked up few at first, for of most chats a page takes few; then more and more. */
export const nextLookUp = (before: number): number => Math.min(before * 4, 256);

/** Into sources by falling places, so that the next one is the last. */
export const insert = <Source extends { readonly place: number }>(queue: Source[], source: Source): void => {
  let [low, high] = [0, queue.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((queue[middle]?.place ?? 0) > source.place) low = middle + 1;
    else high = middle;
  }
  queue.splice(low, 0, source);
};
