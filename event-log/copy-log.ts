import { setTimeout as pause } from 'node:timers/promises';
import type { LogPosition } from '../schemas/position.ts';
import { logStream } from '../schemas/streams.ts';
import { checksumOf, noLink } from './chain.ts';
import { encodeEvent } from './codec.ts';
import { alongLine } from './copied-store.ts';
import { copyAppends, type CopyAppends } from './copy-appends.ts';
import { CopyComparison } from './copy-comparison.ts';
import { epochEvent, Epochs, type EpochDependencies } from './epochs.ts';
import { LogUnusable } from './event-log.ts';
import type { EncodedEvent, LogStore } from './log-store.ts';
import { epochIn, readEpochs, readLogStream } from './read-epochs.ts';
import { SourceOrder } from './source-order.ts';

const noNonce = (): Buffer => Buffer.alloc(0);

/** Under way at once; when all of them stand in the copy, and only then, the next are sent. */
const usualWindow: CopyWindow = { events: 4_000, bytes: 8 * 1_048_576 };
const pageSize = 1_000;

export interface CopyWindow {
  readonly events: number;
  readonly bytes: number;
}

export interface CopyLogDependencies extends EpochDependencies {
  /** A log that nothing appends to any more. */
  readonly source: LogStore;
  /** Empty, or with what a copy of the same log left. */
  readonly target: LogStore;
  readonly clock: { now(): number; monotonic(): number };
  readonly window?: CopyWindow | undefined;
  /** Told how many events of the source stand in the copy, and of how many places of it. */
  readonly copied: (events: number, place: number, of: number) => void;
  /** Called before the copy becomes a log of its own: from then on the source must stay as it is for ever. */
  readonly finishing: () => Promise<void>;
}

export type CopiedLog =
  | { readonly was: 'copied'; readonly events: number; readonly streams: number }
  /** An earlier call has finished it, and this one changed nothing. */
  | { readonly was: 'finished' };

/**
 * Copies a log, event by event as they are, into another store, and begins the copy's own epoch at its end. Until that
 * stands, the copy opens for nobody else. Ended at any moment, the same call goes on: what stands in the copy is compared
 * with the source, what does not is appended, and an append that was made already is answered as before.
 *
 * Throws `LogDamaged` for a source whose order, checksums or chains are wrong, and `LogUnusable` for a target that holds
 * anything else.
 */
export const copyLog = async (dependencies: CopyLogDependencies): Promise<CopiedLog> => {
  const { target, clock, window: most = usualWindow, copied, finishing } = dependencies;
  const source = await alongLine(dependencies.source);
  const epochs = new Epochs();
  if (!(await readEpochs(source, epochs))) throw new LogUnusable('there is no log to copy');
  const head = source.head();
  const order = new SourceOrder(source, epochs);
  const end = epochs.positionOf(head);
  if ((await compareBeginning(source, target, end)) === 'finished') {
    await finishing();
    return { was: 'finished' };
  }

  target.onCommitted(() => undefined);
  const appends = copyAppends(target, clock);
  const comparison = new CopyComparison();
  const found = new TargetOrder(target, comparison);
  let events = 0;
  for (let place = 0; place < head;) {
    // The first event alone: whoever finds it knows that this is a copy.
    const window = await order.next(place, place === 0 ? { ...most, events: 1 } : most);
    for (const event of window) comparison.expect(event);
    await found.readOn();
    await appendMissing(comparison, found, appends);
    place = window.at(-1)?.n ?? head;
    comparison.note(place, found.n);
    events += window.length;
    copied(events, place, head);
  }
  await found.readOn();
  comparison.end();

  await finishing();
  const revision = (await readLogStream(target)).length - 1;
  // Its place lies after the source's head, whatever number the store gives it.
  const base = Math.max(0, head - target.head());
  const parent = { log: end.log, cut: end.n };
  const begins = { reason: 'copied', parent, base, pairs: comparison.pairs() } as const;
  const envelope = encodeEvent(logStream, epochEvent(begins, dependencies), undefined, noNonce);
  const checksum = checksumOf(envelope, revision + 1, noLink, undefined);
  const epoch: EncodedEvent = { envelope, link: noLink, checksum };
  await appends.append({ stream: logStream, expectedRevision: revision, events: [epoch] });
  if ((await compareBeginning(source, target, end)) !== 'finished')
    throw new LogUnusable('the copy could not begin its epoch');
  return { was: 'copied', events, streams: order.streams };
};

/** What the target's own stream says: nothing yet, a copy of this very log, or one that is finished. */
const compareBeginning = async (
  source: LogStore,
  target: LogStore,
  end: LogPosition,
): Promise<'unfinished' | 'finished'> => {
  const [given, stands] = [await readLogStream(source), await readLogStream(target)];
  for (const [index, event] of stands.entries()) {
    const { envelope, copiedFrom } = event;
    const original = given[index];
    if (copiedFrom === undefined && index === given.length) {
      const { parent } = epochIn(event);
      if (parent?.log === end.log && parent.cut === end.n) return 'finished';
      throw new LogUnusable('the target is a finished copy, and the source went on since');
    }
    if (original === undefined || copiedFrom === undefined || Buffer.compare(original.envelope, envelope) !== 0) {
      throw new LogUnusable('the target holds another log');
    }
  }
  if (stands.length === 0 && target.head() > 0) throw new LogUnusable('the target holds another log');
  return 'unfinished';
};

/** Reads the copy on, in its own order. */
class TargetOrder {
  readonly #target: LogStore;
  readonly #comparison: CopyComparison;
  /** Of the last event read. */
  n = 0;

  constructor(target: LogStore, comparison: CopyComparison) {
    this.#target = target;
    this.#comparison = comparison;
  }

  /** Until everything that is expected was found, or the copy ends. */
  async readOn(): Promise<void> {
    while (this.#comparison.lacks > 0) {
      const page = await this.#target.readAll(this.n, Math.min(this.#comparison.lacks, pageSize));
      if (page.length === 0) return;
      for (const event of page) this.#comparison.found(event);
      this.n = page.at(-1)?.n ?? this.n;
    }
  }
}

/** Rounds after which what is missing is missing for good: one conflicts with what an earlier call left under way. */
const mostRounds = 5;
const roundPauseMs = 250;

const appendMissing = async (comparison: CopyComparison, found: TargetOrder, appends: CopyAppends): Promise<void> => {
  for (let round = 0; comparison.lacks > 0; round++) {
    if (round === mostRounds) throw new LogUnusable(`the target does not take the event after ${found.n}`);
    if (round > 0) await pause(roundPauseMs);
    await appends.appendAll(comparison.missing());
    await found.readOn();
  }
};
