import type { EventLog } from '../event-log/event-log.ts';
import { isUserEvent } from '../domain/fold.ts';
import type { Inbox, Missed } from '../projections/inbox.ts';
import type { RecordedEvent } from '../schemas/events.ts';
import type { CommandId, UserId } from '../schemas/ids.ts';
import type { Limits } from '../schemas/limits.ts';
import { userStream } from '../schemas/streams.ts';
import type { BlockList } from './block-list.ts';
import { accountFrame } from './encode-frame.ts';
import { missedFrame } from './encode-missed.ts';
import type { Turnstile } from './turnstile.ts';

export interface GiveMissedDeps {
  readonly eventLog: EventLog;
  readonly inbox: Pick<Inbox, 'missedAfter'>;
  /** Reads of the stores, of all sessions together. */
  readonly reads: Turnstile;
  readonly limits: Pick<Limits, 'receiptsMembers'>;
  readonly warn: (details: Readonly<Record<string, unknown>>, message: string) => void;
}

/** What is given to a session that is behind, from wherever. */
export interface BehindInbox {
  readonly userId: UserId;
  /** Whom the user blocks now. */
  readonly blocks: Pick<BlockList, 'hides'>;
  /** Queues a frame; false, and nothing queued, when there is no room. */
  offer(frame: Buffer, sent: CommandId | undefined): boolean;
  /** Everything up to `place` was given, after every event; `isFull`: nothing more fits for now. */
  reached(place: number, isFull: boolean): void;
  /** Resolves when most of what was queued has gone; never if the socket ends before. */
  drained(): Promise<void>;
}

const itemsAtOnce = 2_000;
const eventsAtOnce = 100;

/**
 * Gives a session out of the inbox what it lacks after a place: what others said meanwhile is not looked at, and of a message
 * that was changed a hundred times comes what it says now. The answer is the place from which the log goes on: how far the
 * inbox had come, or how far it answered. A page is one state of the inbox and says its place; what the log brings after
 * the last one is therefore newer than all of it.
 *
 * Holds one page at most, and none while it waits for a socket that does not keep up.
 */
export const giveMissed = async (
  place: number,
  session: BehindInbox,
  deps: GiveMissedDeps,
  signal: AbortSignal,
): Promise<number> => {
  const own = await ownFrames(place, session.userId, deps);
  if (own === undefined) return place;
  for (const frame of own) {
    while (!session.offer(frame, undefined)) {
      await session.drained();
      signal.throwIfAborted();
    }
  }
  for (let given = place; ;) {
    await session.drained();
    signal.throwIfAborted();
    const missed = await ask(given, session.userId, deps);
    signal.throwIfAborted();
    if (missed === undefined) return given;
    const stoppedAt = giveItems(given, missed, session, deps);
    given = stoppedAt ?? missed.through;
    if (stoppedAt === undefined && missed.isLast) return given;
    session.reached(given, stoppedAt !== undefined);
  }
};

/** Undefined: all were given; else up to which place they were, for there is no room for the next. */
const giveItems = (
  from: number,
  { items }: Missed,
  session: BehindInbox,
  { limits }: GiveMissedDeps,
): number | undefined => {
  let given = from;
  for (const item of items) {
    const made = missedFrame(item, session, limits.receiptsMembers);
    if (made !== undefined && !session.offer(made.frame, made.sent)) return given;
    given = item.place;
    session.reached(given, false);
  }
  return undefined;
};

/** Undefined: the inbox cannot say it now. */
const ask = async (
  place: number,
  user: UserId,
  { inbox, reads, warn }: GiveMissedDeps,
): Promise<Missed | undefined> => {
  try {
    return await reads.run(() => inbox.missedAfter(user, place, itemsAtOnce));
  } catch (error) {
    warn({ err: error }, 'the inbox cannot be read: devices that come back are served from the log');
    return undefined;
  }
};

/** What the user changed on its own account. Undefined: something unknown here is among it, which the log has to stop at. */
const ownFrames = async (
  after: number,
  user: UserId,
  { eventLog, reads }: GiveMissedDeps,
): Promise<readonly Buffer[] | undefined> => {
  const isAfter = ({ position }: RecordedEvent): boolean => {
    const located = eventLog.locate(position);
    return located.where !== 'known' || located.place > after;
  };
  const newer: RecordedEvent[] = [];
  const read = (from: number | 'end'): Promise<readonly RecordedEvent[]> =>
    reads.run(() => eventLog.readStream(userStream(user), from, 'backwards', eventsAtOnce));
  for (let page = await read('end'); ; page = await read((newer.at(-1)?.revision ?? 0) - 1)) {
    newer.push(...page.filter(isAfter));
    const last = page.at(-1);
    if (last === undefined || last.revision === 0 || last !== newer.at(-1)) break;
  }
  const frames: Buffer[] = [];
  for (const recorded of newer.toReversed()) {
    const { event, critical } = recorded;
    if (event === undefined && critical) return undefined;
    const frame = event !== undefined && isUserEvent(event) ? accountFrame(event, recorded) : undefined;
    if (frame !== undefined) frames.push(frame);
  }
  return frames;
};
