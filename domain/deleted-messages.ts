import type { Seq } from '../schemas/ids.ts';

/** The first index whose seq is not below `seq`; most deletes are of recent messages, but nothing relies on it. */
const placeOf = (deleted: readonly Seq[], seq: Seq): number => {
  let low = 0;
  let high = deleted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((deleted[middle] ?? Infinity) < seq) low = middle + 1;
    else high = middle;
  }
  return low;
};

/** `deleted` is ascending, here and below. */
export const isDeleted = (deleted: readonly Seq[], seq: Seq): boolean => deleted[placeOf(deleted, seq)] === seq;

export const withDeleted = (deleted: readonly Seq[], seq: Seq): readonly Seq[] =>
  isDeleted(deleted, seq) ? deleted : deleted.toSpliced(placeOf(deleted, seq), 0, seq);
