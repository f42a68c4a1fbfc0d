import { marksShownTo, receivers } from '../domain/visibility.ts';
import { isConversationEvent, isPresenceEvent, isReceiptsEvent, isUserEvent } from '../domain/fold.ts';
import type { EventLog, TailBatch } from '../event-log/event-log.ts';
import type { ConversationEvent } from '../schemas/conversation-events.ts';
import type { RecordedEvent } from '../schemas/events.ts';
import type { ConversationId, UserId } from '../schemas/ids.ts';
import type { Limits } from '../schemas/limits.ts';
import { encodeCursor, type LogPosition } from '../schemas/position.ts';
import type { ReceiptsEvent } from '../schemas/receipts-events.ts';
import { kindOf, subjectOf } from '../schemas/streams.ts';
import type { UserEvent } from '../schemas/user-events.ts';
import {
  accountFrame,
  beginsMembershipOf,
  frameFor,
  isHideable,
  placeholderFrame,
  receiptsFrame,
} from './encode-frame.ts';
import type { FollowPresence } from './follow-presence.ts';
import type { FlushTurn } from './flush-turn.ts';
import type { KnownMembership, Memberships } from './memberships.ts';
import type { RealtimeMetrics } from './realtime-metrics.ts';
import type { Sessions } from './sessions.ts';

/** What a device is owed, also when it comes back. */
export const followedKinds = ['conversation', 'receipts', 'user'] as const;
const routedKinds = [...followedKinds, 'presence'] as const;
const loadsAtOnce = 64;

/** The log holds an event that this process must not pass over and does not know. */
export class UnknownCriticalEvent extends Error {
  override readonly name = 'UnknownCriticalEvent';
}

/** A place of the log and the cursor that names it. */
export interface Place {
  readonly place: number;
  readonly position: LogPosition;
}

/**
 * Follows the log from its head and gives every event, encoded once, to the sessions of all who may receive it. Whoever is
 * `live` has been given everything up to `place`.
 */
export class Router {
  readonly #log: EventLog;
  readonly #memberships: Memberships;
  readonly #sessions: Sessions;
  readonly #turn: FlushTurn;
  readonly #metrics: RealtimeMetrics;
  readonly #presence: FollowPresence;
  readonly #receiptsMembers: number;
  #at: Place;
  #cursor: string | undefined;
  #lastEventPlace: number;
  #stopped: string | undefined;

  constructor(
    log: EventLog,
    memberships: Memberships,
    sessions: Sessions,
    turn: FlushTurn,
    metrics: RealtimeMetrics,
    presence: FollowPresence,
    { receiptsMembers }: Pick<Limits, 'receiptsMembers'>,
  ) {
    this.#presence = presence;
    this.#log = log;
    this.#receiptsMembers = receiptsMembers;
    this.#memberships = memberships;
    this.#sessions = sessions;
    this.#turn = turn;
    this.#metrics = metrics;
    const position = log.head();
    const located = log.locate(position);
    if (located.where !== 'known') throw new Error('the log does not know its own head');
    this.#at = { place: located.place, position };
    this.#lastEventPlace = located.place;
  }

  get place(): number {
    return this.#at.place;
  }

  /** Whether all events between `place` and the router's place are of kinds nobody here follows: nothing is left to pull. */
  nothingAfter(place: number): boolean {
    return place >= this.#lastEventPlace;
  }

  /** Names `place`, in the form clients store. */
  get cursor(): string {
    const { log, n } = this.#at.position;
    return (this.#cursor ??= encodeCursor(new Map([[log, n]])));
  }

  /** Why nothing is delivered now; undefined: it is. */
  get stopped(): string | undefined {
    return this.#stopped;
  }

  /**
   * Delivers from `place` on, which another call goes on from. Ends only by throwing: `UnknownCriticalEvent`, a fault of
   * the log, or when aborted.
   */
  async follow(signal: AbortSignal): Promise<never> {
    this.#stopped = undefined;
    try {
      return await this.#follow(signal);
    } catch (error) {
      this.#stopped = error instanceof Error ? error.message : 'the router stopped';
      throw error;
    }
  }

  async #follow(signal: AbortSignal): Promise<never> {
    const tail = this.#log.tail({ from: this.place, streamKinds: routedKinds, signal });
    for (;;) {
      const batch = tail.pullNow() ?? (await tail.pull());
      let next = 0;
      while (next < batch.events.length) {
        next = await this.#deliverAtFlush(batch, next);
        const waiting = batch.events[next];
        if (waiting !== undefined) await this.#loadFor(waiting, batch.events.slice(next + 1));
      }
      this.#moveTo({ place: batch.throughPlace, position: batch.through });
    }
  }

  #deliverAtFlush(batch: TailBatch, from: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#turn.beforeFlush(() => {
        try {
          resolve(this.#deliver(batch, from));
        } catch (error) {
          reject(error instanceof Error ? error : new Error('delivery failed', { cause: error }));
        }
      });
    });
  }

  /** Delivers until a membership is missing; the answer is the index of the first event not delivered. */
  #deliver({ events, log, through, throughPlace }: TailBatch, from: number): number {
    const base = throughPlace - through.n;
    for (let i = from; ; i++) {
      const recorded = events[i];
      if (recorded === undefined) return i;
      const { n } = recorded.position;
      if (!this.#deliverEvent(recorded, base + n)) return i;
      this.#moveTo({ place: base + n, position: { log, n } });
      this.#lastEventPlace = base + n;
    }
  }

  #moveTo(at: Place): void {
    this.#at = at;
    this.#cursor = undefined;
  }

  #deliverEvent(recorded: RecordedEvent, place: number): boolean {
    const { event, stream, revision } = recorded;
    if (event === undefined && recorded.critical) {
      const { type, schemaVersion } = recorded;
      throw new UnknownCriticalEvent(`${stream} holds ${type} ${schemaVersion} at ${revision}, unknown here`);
    }
    if (kindOf(stream) === 'user') {
      if (event !== undefined && isUserEvent(event))
        this.#applyToSessions(subjectOf(stream) as UserId, event, recorded, place);
      return true;
    }
    if (kindOf(stream) === 'presence') {
      if (event !== undefined && isPresenceEvent(event))
        this.#presence.moved(subjectOf(stream) as UserId, event, revision + 1, place);
      return true;
    }
    const id = subjectOf(stream) as ConversationId;
    if (kindOf(stream) === 'receipts') {
      return event === undefined || !isReceiptsEvent(event) || this.#deliverMarks(id, event, recorded, place);
    }
    if (this.#sessions.all.size === 0) {
      this.#memberships.forget(id);
      return true;
    }
    const change = event !== undefined && isConversationEvent(event) ? event : undefined;
    const known = this.#memberships.after(id, change, revision);
    if (known === undefined) return false;
    return change === undefined || this.#deliverChange(id, change, recorded, place, known);
  }

  #deliverChange(
    id: ConversationId,
    event: ConversationEvent,
    recorded: RecordedEvent,
    place: number,
    known: KnownMembership,
  ): boolean {
    const begins = event.type === 'conversation-started' || event.type === 'member-added';
    const name = begins ? this.#memberships.nameOf(known) : null;
    if (name === undefined) return false;
    let change: Buffer | undefined;
    let whole: Buffer | undefined;
    let placeholder: Buffer | undefined;
    for (const user of receivers(known.state, event, recorded.revision)) {
      const sessions = this.#sessions.of(user);
      const [session] = sessions;
      if (session === undefined) continue;
      let frame: Buffer;
      if (beginsMembershipOf(user, event)) frame = whole ??= frameFor(user, id, event, recorded, known, name);
      else if (isHideable(event) && session.blocks.hides(event.by)) {
        frame = placeholder ??= placeholderFrame(id, event, recorded);
      } else frame = change ??= frameFor(user, id, event, recorded, known, name);
      const sent = event.type === 'message-sent' && event.by === user ? event.commandId : undefined;
      for (const one of sessions) one.deliver(frame, place, sent);
    }
    if (event.type === 'member-removed') this.#presence.left(event.userId, place);
    else if (event.type === 'member-left') this.#presence.left(event.by, place);
    if ((change ?? whole ?? placeholder) !== undefined) this.#metrics.routed(recorded.time);
    return true;
  }

  #deliverMarks(id: ConversationId, { marks }: ReceiptsEvent, { time }: RecordedEvent, place: number): boolean {
    if (this.#sessions.all.size === 0) return true;
    const known = this.#memberships.get(id);
    if (known === undefined) return false;
    let whole: Buffer | undefined;
    for (const user of known.state.members.keys()) {
      const sessions = this.#sessions.of(user);
      if (sessions.length === 0) continue;
      const shown = marksShownTo(user, known.state, marks, this.#receiptsMembers);
      if (shown.length === 0) continue;
      const frame = shown === marks ? (whole ??= receiptsFrame(id, marks, time)) : receiptsFrame(id, shown, time);
      for (const one of sessions) one.deliver(frame, place, undefined);
    }
    return true;
  }

  #applyToSessions(user: UserId, event: UserEvent, recorded: RecordedEvent, place: number): void {
    this.#presence.accountChanged(user, event, place);
    const sessions = this.#sessions.of(user);
    const [first] = sessions;
    if (first === undefined) return;
    first.blocks.see(event, recorded.revision);
    const frame = accountFrame(event, recorded);
    if (frame !== undefined) for (const session of sessions) session.deliver(frame, place, undefined);
    const ended =
      event.type === 'sessions-ended' ||
      event.type === 'user-erased' ||
      (event.type === 'user-disabled' && event.disabled);
    if (!ended) return;
    const device = event.type === 'sessions-ended' ? event.deviceId : null;
    for (const session of sessions) {
      if (device === null || session.caller.deviceId === device) session.end('token_expired');
    }
  }

  /** Loads what the first event waits for, and with it what those after it will ask for. */
  async #loadFor(first: RecordedEvent, others: readonly RecordedEvent[]): Promise<void> {
    const id = subjectOf(first.stream) as ConversationId;
    const missing = new Set<ConversationId>();
    for (const { stream } of others) {
      const kind = kindOf(stream);
      const other = subjectOf(stream) as ConversationId;
      const hasMembers = kind === 'conversation' || kind === 'receipts';
      if (hasMembers && this.#memberships.get(other) === undefined) missing.add(other);
      if (missing.size === loadsAtOnce) break;
    }
    missing.delete(id);
    await Promise.all(Array.from(missing, (other) => this.#memberships.load(other)));
    // Last: the others may be so big that they push each other out, and this one has to be there for its event.
    if (this.#memberships.get(id) === undefined) await this.#memberships.load(id);
    const known = this.#memberships.get(id);
    if (known !== undefined && this.#memberships.nameOf(known) === undefined)
      await this.#memberships.loadName(id, known);
  }
}
