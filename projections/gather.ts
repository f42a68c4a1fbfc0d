import type { Tail, TailBatch } from '../event-log/event-log.ts';

/**
 * What a store is given at once when so many events wait: a row that several of them change is written once, and what a
 * store does for a batch as a whole (a commit, a refresh) is shared by all of them.
 */
export const mostGathered = 4_000;
/** Each reads up to about 4 MiB from the store. */
const mostPulls = 8;

export interface Gathered {
  readonly batch: TailBatch;
  /** What lies in the next epoch's log: for a later batch, as a batch lies in one log. */
  readonly held: TailBatch | undefined;
}

/**
 * Joins the next batches of a tail to one: whatever lies behind the first one in the log, and once nothing does, what comes
 * while `more` resolves to true.
 */
export const gather = async (tail: Tail, first: TailBatch, more: () => Promise<boolean>): Promise<Gathered> => {
  const events = [...first.events];
  let last = first;
  let pulls = 0;
  while (events.length > 0 && events.length < mostGathered) {
    let next = tail.pullNow();
    if (next === undefined && !last.caughtUp) {
      if (++pulls === mostPulls) break;
      next = await tail.pull();
    }
    if (next === undefined) {
      if (await more()) continue;
      break;
    }
    if (next.log !== last.log) return { batch: { ...last, events }, held: next };
    events.push(...next.events);
    last = next;
  }
  return { batch: { ...last, events }, held: undefined };
};
