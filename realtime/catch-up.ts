import { isConversationEvent, isUserEvent } from '../domain/fold.ts';
import { marksShownTo, mayReceive } from '../domain/visibility.ts';
import type { Tail, TailBatch } from '../event-log/event-log.ts';
import type { RecordedEvent } from '../schemas/events.ts';
import type { ConversationId } from '../schemas/ids.ts';
import type { ReceiptsEvent } from '../schemas/receipts-events.ts';
import { subjectOf, userStream } from '../schemas/streams.ts';
import {
  accountFrame,
  beginsMembershipOf,
  frameFor,
  isHideable,
  placeholderFrame,
  receiptsFrame,
} from './encode-frame.ts';
import type { UserEvent } from '../schemas/user-events.ts';
import type { Memberships } from './memberships.ts';
import { giveMissed, type BehindInbox, type GiveMissedDeps } from './give-missed.ts';
import { newestMarks } from './newest-marks.ts';
import type { Feed } from './gateway.ts';
import { followedKinds } from './router.ts';

export interface CatchUpDeps extends GiveMissedDeps {
  readonly memberships: Memberships;
  readonly feed: Feed;
}

/** A session that is behind. */
export interface Behind extends BehindInbox {
  /** Everything up to the router's place, or to `place` if that is further, was given; the router delivers what comes after. */
  goLive(place: number): void;
}

/**
 * Gives a session what its user may receive after `place`: out of the inbox while the log holds it on the disk only, then
 * pulled from the log and filtered by membership as it is now, until it has come to the router's place. At that synchronous
 * point it goes live, so the seam has neither a gap nor a double. `blocked`: the log goes on with something this process must not pass over.
 *
 * Holds one batch at most, and none while it waits for a socket that does not keep up.
 */
export const catchUp = async (
  place: number,
  session: Behind,
  deps: CatchUpDeps,
  signal: AbortSignal,
): Promise<'live' | 'blocked'> => {
  let from = place;
  for (;;) {
    await session.drained();
    signal.throwIfAborted();
    if (!deps.eventLog.isRecent(from)) from = await giveMissed(from, session, deps, signal);
    const tail = deps.eventLog.tail({ from, streamKinds: followedKinds, signal });
    const reached = await pullUntilFull(tail, from, session, deps, signal);
    if (reached === 'live' || reached === 'blocked') return reached;
    from = reached.place;
  }
};

const pullUntilFull = async (
  tail: Tail,
  from: number,
  session: Behind,
  deps: CatchUpDeps,
  signal: AbortSignal,
): Promise<'live' | 'blocked' | { readonly place: number }> => {
  let place = from;
  for (;;) {
    signal.throwIfAborted();
    // A pull that finds nothing waits, and others wait behind it for their turn to read.
    if (deps.feed.nothingAfter(place)) {
      session.goLive(place);
      return 'live';
    }
    const batch = tail.pullNow() ?? (await deps.reads.run(() => tail.pull()));
    signal.throwIfAborted();
    const ended = await give(batch, place, session, deps, signal);
    if (ended !== 'given') return ended;
    place = batch.throughPlace;
    session.reached(place, false);
    // Others get their turn of the loop between two batches, which from memory would follow each other at once.
    await new Promise((resolve) => setImmediate(resolve));
  }
};

const give = async (
  batch: TailBatch,
  from: number,
  session: Behind,
  deps: CatchUpDeps,
  signal: AbortSignal,
): Promise<'given' | 'live' | 'blocked' | { readonly place: number }> => {
  const base = batch.throughPlace - batch.through.n;
  let given = from;
  const marks = newestMarks(batch.events);
  for (const recorded of batch.events) {
    const place = base + recorded.position.n;
    let outcome: ReturnType<typeof giveEvent> | undefined;
    while (outcome === undefined || outcome === 'missing') {
      if (outcome === 'missing') {
        await load(recorded, deps);
        signal.throwIfAborted();
      }
      if (place > deps.feed.place) {
        session.goLive(given);
        return 'live';
      }
      outcome = giveEvent(recorded, marks.get(recorded), session, deps);
    }
    if (outcome === 'full') {
      session.reached(given, true);
      return { place: given };
    }
    if (outcome === 'blocked') return 'blocked';
    given = place;
    session.reached(given, false);
  }
  if (!deps.feed.nothingAfter(batch.throughPlace)) return 'given';
  session.goLive(given);
  return 'live';
};

const giveEvent = (
  recorded: RecordedEvent,
  marks: ReceiptsEvent['marks'] | undefined,
  session: Behind,
  { memberships, limits }: CatchUpDeps,
): 'given' | 'full' | 'blocked' | 'missing' => {
  const { event, revision } = recorded;
  if (event === undefined) return recorded.critical ? 'blocked' : 'given';
  if (isUserEvent(event)) return giveOwn(event, recorded, session);
  const id = subjectOf(recorded.stream) as ConversationId;
  if (marks !== undefined) return giveMarks(id, marks, recorded, session, memberships, limits.receiptsMembers);
  if (!isConversationEvent(event)) return 'given';
  const known = memberships.get(id);
  if (known === undefined) return 'missing';
  if (known.blocked) return 'blocked';
  if (!mayReceive(known.state, session.userId, event, revision)) return 'given';
  const name = beginsMembershipOf(session.userId, event) ? memberships.nameOf(known) : null;
  if (name === undefined) return 'missing';
  const sent = event.type === 'message-sent' && event.by === session.userId ? event.commandId : undefined;
  const frame =
    isHideable(event) && session.blocks.hides(event.by)
      ? placeholderFrame(id, event, recorded)
      : frameFor(session.userId, id, event, recorded, known, name);
  return session.offer(frame, sent) ? 'given' : 'full';
};

const giveOwn = (event: UserEvent, recorded: RecordedEvent, session: Behind): 'given' | 'full' => {
  const frame = recorded.stream === userStream(session.userId) ? accountFrame(event, recorded) : undefined;
  return frame === undefined || session.offer(frame, undefined) ? 'given' : 'full';
};

const giveMarks = (
  id: ConversationId,
  marks: ReceiptsEvent['marks'],
  { time }: RecordedEvent,
  session: Behind,
  memberships: Memberships,
  mostMembers: number,
): 'given' | 'full' | 'blocked' | 'missing' => {
  if (marks.length === 0) return 'given';
  const known = memberships.get(id);
  if (known === undefined) return 'missing';
  if (known.blocked) return 'blocked';
  const shown = marksShownTo(session.userId, known.state, marks, mostMembers);
  return shown.length === 0 || session.offer(receiptsFrame(id, shown, time), undefined) ? 'given' : 'full';
};

const load = async ({ stream }: RecordedEvent, { memberships }: CatchUpDeps): Promise<void> => {
  const id = subjectOf(stream) as ConversationId;
  const known = memberships.get(id);
  if (known === undefined) await memberships.load(id);
  else await memberships.loadName(id, known);
};
