import { setTimeout as pause } from 'node:timers/promises';
import { marksShownTo } from '../domain/visibility.ts';
import { isConversationEvent, isPresenceEvent, isReceiptsEvent, isUserEvent } from '../domain/fold.ts';
import type { EventLog, TailBatch } from '../event-log/event-log.ts';
import type { ConversationEvent } from '../schemas/conversation-events.ts';
import type { RecordedEvent } from '../schemas/events.ts';
import type { ConversationId, UserId } from '../schemas/ids.ts';
import type { Limits } from '../schemas/limits.ts';
import type { ReceiptsEvent } from '../schemas/receipts-events.ts';
import { kindOf, subjectOf } from '../schemas/streams.ts';
import type { Bus, Delivery, RoutedBatch } from './bus.ts';
import { changeDelivery, marksDelivery } from './deliveries.ts';
import { accountFrame } from './encode-frame.ts';
import type { FlushTurn } from './flush-turn.ts';
import { headOf, type Place } from './head-of.ts';
import type { KnownMembership, Memberships } from './memberships.ts';

/** What a device is owed, also when it comes back. */
export const followedKinds = ['conversation', 'receipts', 'user'] as const;
const routedKinds = [...followedKinds, 'presence'] as const;
const loadsAtOnce = 64;

/** The log holds an event that this process must not pass over and does not know. */
export class UnknownCriticalEvent extends Error {
  override readonly name = 'UnknownCriticalEvent';
}

export interface RouterDeps {
  readonly eventLog: EventLog;
  readonly memberships: Memberships;
  readonly bus: Bus;
  readonly turn: FlushTurn;
  /** Whether anybody at all listens: else nobody's members are looked up. */
  readonly isHeard: () => boolean;
  readonly limits: Pick<Limits, 'receiptsMembers'>;
}

const channel = 0;
const mostInRange = 10_000;
const lookAgainMs = 10;
const longestWaitMs = 2_000;

/** The membership an event is routed by; undefined: it has to be loaded first. */
type KnownOf = (
  id: ConversationId,
  event: ConversationEvent | undefined,
  revision: number,
) => KnownMembership | undefined;

/** Follows the log from its head, works out for every event who may receive it, and publishes it with them. */
export class Router {
  readonly #deps: RouterDeps;
  #at: Place;
  #stopped: string | undefined;

  constructor(deps: RouterDeps) {
    this.#deps = deps;
    this.#at = headOf(deps.eventLog);
  }

  /** Everything up to here is published. */
  get at(): Place {
    return this.#at;
  }

  /** Why nothing is routed now; undefined: it is. */
  get stopped(): string | undefined {
    return this.#stopped;
  }

  /**
   * Routes from its place on, which another call goes on from. Ends only by throwing: `UnknownCriticalEvent`, a fault of
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

  /**
   * For a gateway that missed it: what the channel has after `from`, up to `through`, or to where this router is if it does not
   * come there soon. Of memberships as they are now, so
   * nobody gets more than was its own, and who has left since gets what a resume would bring.
   */
  async range(from: number, through: number, signal: AbortSignal): Promise<readonly RoutedBatch[]> {
    await this.#reached(through, signal);
    // What this router has not come to itself it would route by who was there before.
    const end = Math.min(through, this.#at.place);
    let routed = 0;
    const tail = this.#deps.eventLog.tail({ from, streamKinds: routedKinds, signal });
    const batches: RoutedBatch[] = [];
    for (let place = from; place < end;) {
      const batch = await tail.pull();
      const base = batch.throughPlace - batch.through.n;
      const upTo = Math.min(batch.throughPlace, end);
      const deliveries: Delivery[] = [];
      for (const recorded of batch.events) {
        const at = base + recorded.position.n;
        if (at > upTo) break;
        while (!this.#route(recorded, at, this.#knownNow, deliveries)) await this.#loadFor(recorded, []);
      }
      // Places may leave out numbers, so only what was read says how many events lie between two.
      routed += batch.events.length;
      if (routed > mostInRange) throw new Error(`more than ${mostInRange} events are too many to route again`);
      const position = { log: batch.log, n: upTo - base };
      batches.push({ is: 'batch', channel, from: place, through: upTo, position, deliveries });
      place = upTo;
    }
    return batches;
  }

  /** Another router may be ahead of this one, for a moment. */
  async #reached(place: number, signal: AbortSignal): Promise<void> {
    for (let waited = 0; this.#at.place < place && waited < longestWaitMs; waited += lookAgainMs)
      await pause(lookAgainMs, undefined, { signal });
  }

  async #follow(signal: AbortSignal): Promise<never> {
    const tail = this.#deps.eventLog.tail({ from: this.#at.place, streamKinds: routedKinds, signal });
    for (;;) {
      const batch = tail.pullNow() ?? (await tail.pull());
      let next = 0;
      while (next < batch.events.length) {
        next = await this.#publishAtFlush(batch, next);
        const waiting = batch.events[next];
        if (waiting !== undefined) await this.#loadFor(waiting, batch.events.slice(next + 1));
      }
      this.#publish([], { place: batch.throughPlace, position: batch.through });
    }
  }

  #publishAtFlush(batch: TailBatch, from: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#deps.turn.beforeFlush(() => {
        try {
          resolve(this.#routeOn(batch, from));
        } catch (error) {
          reject(error instanceof Error ? error : new Error('routing failed', { cause: error }));
        }
      });
    });
  }

  /** Publishes until a membership is missing; the answer is the index of the first event not published. */
  #routeOn({ events, log, through, throughPlace }: TailBatch, from: number): number {
    const base = throughPlace - through.n;
    const deliveries: Delivery[] = [];
    let at = this.#at;
    let next = from;
    try {
      for (; next < events.length; next++) {
        const recorded = events[next];
        if (recorded === undefined) break;
        const { n } = recorded.position;
        if (!this.#route(recorded, base + n, this.#knownAfter, deliveries)) break;
        at = { place: base + n, position: { log, n } };
      }
    } finally {
      // Also what lies before an event that must not be passed over.
      this.#publish(deliveries, at);
    }
    return next;
  }

  #publish(deliveries: readonly Delivery[], { place, position }: Place): void {
    const from = this.#at.place;
    if (place <= from) return;
    this.#at = { place, position };
    this.#deps.bus.publish({ is: 'batch', channel, from, through: place, position, deliveries });
  }

  /** False: a membership has to be loaded first. */
  #route(recorded: RecordedEvent, place: number, knownOf: KnownOf, into: Delivery[]): boolean {
    const { event, stream, revision } = recorded;
    if (event === undefined && recorded.critical) {
      const { type, schemaVersion } = recorded;
      throw new UnknownCriticalEvent(`${stream} holds ${type} ${schemaVersion} at ${revision}, unknown here`);
    }
    if (kindOf(stream) === 'conversation') return this.#routeConversation(recorded, place, knownOf, into);
    if (event === undefined) return true;
    if (isReceiptsEvent(event)) return this.#routeMarks(event, recorded, place, into);
    const user = subjectOf(stream) as UserId;
    if (isPresenceEvent(event)) into.push({ is: 'presence', place, user, event, version: revision + 1 });
    else if (isUserEvent(event))
      into.push({ is: 'account', place, user, event, revision, frame: accountFrame(event, recorded) });
    return true;
  }

  #routeConversation(recorded: RecordedEvent, place: number, knownOf: KnownOf, into: Delivery[]): boolean {
    const { event, stream, revision } = recorded;
    const { memberships, isHeard } = this.#deps;
    const id = subjectOf(stream) as ConversationId;
    if (!isHeard()) {
      memberships.forget(id);
      return true;
    }
    const change = event !== undefined && isConversationEvent(event) ? event : undefined;
    const known = knownOf(id, change, revision);
    if (known === undefined) return false;
    if (change === undefined) return true;
    const begins = change.type === 'conversation-started' || change.type === 'member-added';
    const name = begins ? memberships.nameOf(known) : null;
    if (name === undefined) return false;
    into.push(changeDelivery(id, change, recorded, place, known, name));
    return true;
  }

  #routeMarks({ marks }: ReceiptsEvent, { stream, time }: RecordedEvent, place: number, into: Delivery[]): boolean {
    const { memberships, isHeard, limits } = this.#deps;
    if (!isHeard()) return true;
    const id = subjectOf(stream) as ConversationId;
    const known = memberships.get(id);
    if (known === undefined) return false;
    const { state } = known;
    const isSmall = state.members.size <= limits.receiptsMembers;
    const shownAll: UserId[] = [];
    for (const user of isSmall ? state.members.keys() : marks.map(({ userId }) => userId)) {
      const shown = marksShownTo(user, state, marks, limits.receiptsMembers);
      if (shown === marks) shownAll.push(user);
      else if (shown.length > 0) into.push(marksDelivery(id, shown, time, place, [user]));
    }
    if (shownAll.length > 0) into.push(marksDelivery(id, marks, time, place, shownAll));
    return true;
  }

  readonly #knownAfter: KnownOf = (id, event, revision) => this.#deps.memberships.after(id, event, revision);
  readonly #knownNow: KnownOf = (id) => this.#deps.memberships.get(id);

  /** Loads what the first event waits for, and with it what those after it will ask for. */
  async #loadFor(first: RecordedEvent, others: readonly RecordedEvent[]): Promise<void> {
    const id = subjectOf(first.stream) as ConversationId;
    const missing = new Set<ConversationId>();
    for (const { stream } of others) {
      const kind = kindOf(stream);
      const other = subjectOf(stream) as ConversationId;
      const hasMembers = kind === 'conversation' || kind === 'receipts';
      if (hasMembers && this.#deps.memberships.get(other) === undefined) missing.add(other);
      if (missing.size === loadsAtOnce) break;
    }
    missing.delete(id);
    await Promise.all(Array.from(missing, (other) => this.#deps.memberships.load(other)));
    // Last: the others may be so big that they push each other out, and this one has to be there for its event.
    if (this.#deps.memberships.get(id) === undefined) await this.#deps.memberships.load(id);
    const known = this.#deps.memberships.get(id);
    if (known !== undefined && this.#deps.memberships.nameOf(known) === undefined)
      await this.#deps.memberships.loadName(id, known);
  }
}
