import { endedSessions } from '../domain/ended-sessions.ts';
import type { BlockList } from './block-list.ts';
import type { UserId } from '../schemas/ids.ts';
import { cursorAt, type LogPosition } from '../schemas/position.ts';
import type { AccountDelivery, BusMessage, Delivery, FrameDelivery, RoutedBatch, Typed } from './bus.ts';
import type { Place } from './head-of.ts';
import type { LazyFrame } from './lazy-frame.ts';
import type { FollowPresence } from './follow-presence.ts';
import type { RealtimeMetrics } from './realtime-metrics.ts';
import type { Sessions } from './sessions.ts';

/** How far this process was given the log. */
export interface Feed {
  /** Whoever is live was given everything up to here. */
  readonly place: number;
  /** Names `place`, in the form clients store. */
  readonly cursor: string;
  /** Whether nothing between `place` and the feed's place was for anybody's device: nothing is left to pull. */
  nothingAfter(place: number): boolean;
  /** Why nothing comes now; undefined: it does. */
  readonly stopped: string | undefined;
}

export interface GatewayDeps {
  readonly sessions: Sessions;
  readonly presence: FollowPresence;
  readonly metrics: RealtimeMetrics;
  /** Where the router that is heard begins. */
  readonly begins: Place;
  /** What any router has of the channel after a place, up to another. */
  readonly range: (from: number, through: number) => Promise<readonly RoutedBatch[]>;
  readonly stopped: () => string | undefined;
  /** At which of so many milliseconds each session begins to pull for itself. */
  readonly spread: (milliseconds: number) => number;
  readonly warn: (details: Readonly<Record<string, unknown>>, message: string) => void;
}

const mostHeld = 1_000;
const pullWithinMs = 10_000;

/**
 * Gives what comes over the bus to the sessions it is for. What it misses it asks a router for, and where no router answers
 * its sessions pull for themselves; what it has had it passes over.
 */
export class Gateway implements Feed {
  readonly #deps: GatewayDeps;
  #place: number;
  #position: LogPosition;
  #cursor: string | undefined;
  /** Of the last event that a device may be owed. */
  #lastOwed: number;
  /** What comes while a hole is filled; undefined: there is none. */
  #held: RoutedBatch[] | undefined;

  constructor(deps: GatewayDeps) {
    this.#deps = deps;
    this.#place = deps.begins.place;
    this.#position = deps.begins.position;
    this.#lastOwed = this.#place;
  }

  get place(): number {
    return this.#place;
  }

  get cursor(): string {
    return (this.#cursor ??= cursorAt(this.#position));
  }

  nothingAfter(place: number): boolean {
    return place >= this.#lastOwed;
  }

  get stopped(): string | undefined {
    return this.#deps.stopped();
  }

  receive(message: BusMessage): void {
    if (message.is === 'typed') this.#showTyping(message);
    else this.#receive(message);
  }

  #receive(batch: RoutedBatch): void {
    if (batch.through <= this.#place) return;
    if (this.#held !== undefined) {
      // What does not fit is a hole again, when it is its turn.
      if (this.#held.length < mostHeld) this.#held.push(batch);
    } else if (batch.from > this.#place) {
      this.#held = [batch];
      void this.#fill(batch);
    } else this.#deliver(batch);
  }

  async #fill(first: RoutedBatch): Promise<void> {
    try {
      for (const batch of await this.#deps.range(this.#place, first.from)) this.#deliver(batch);
      if (this.#place < first.from) throw new Error(`the range ends at ${this.#place}`);
    } catch (error) {
      this.#deps.warn({ err: error, from: this.#place, through: first.from }, 'a hole was not filled: sessions pull');
      this.#passOver(first);
    }
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const batch of held) this.#receive(batch);
  }

  /** Goes on at a batch without what lies before it. */
  #passOver({ from, through, position }: RoutedBatch): void {
    const { sessions, presence, spread } = this.#deps;
    for (const session of sessions.all) {
      // All sessions of a user share one.
      if (sessions.of(session.userId)[0] === session) session.blocks.forget();
      session.pullFrom(this.#place, spread(pullWithinMs));
    }
    this.#lastOwed = from;
    this.#moveTo(from, { log: position.log, n: position.n - (through - from) });
    presence.missed(from);
  }

  #deliver({ deliveries, through, position }: RoutedBatch): void {
    const base = through - position.n;
    const before = this.#place;
    for (const delivery of deliveries) {
      const { place } = delivery;
      // One event may be several, each for other people.
      if (place <= before) continue;
      this.#give(delivery);
      if (delivery.is !== 'presence') this.#lastOwed = place;
      this.#moveTo(place, { log: position.log, n: place - base });
    }
    this.#moveTo(through, position);
  }

  #showTyping({ by, conversationId, receivers, frame }: Typed): void {
    for (const user of receivers) {
      for (const session of this.#deps.sessions.of(user)) session.showTyping(by, conversationId, frame.bytes);
    }
  }

  #moveTo(place: number, position: LogPosition): void {
    this.#place = place;
    this.#position = position;
    this.#cursor = undefined;
  }

  #give(delivery: Delivery): void {
    if (delivery.is === 'frame') this.#giveFrame(delivery);
    else if (delivery.is === 'account') this.#giveAccount(delivery);
    else this.#deps.presence.moved(delivery.user, delivery.event, delivery.version, delivery.place);
  }

  #giveFrame(delivery: FrameDelivery): void {
    const { place, receivers, sent, left, time } = delivery;
    let isGiven = false;
    for (const user of receivers) {
      const sessions = this.#deps.sessions.of(user);
      const [first] = sessions;
      if (first === undefined) continue;
      isGiven = true;
      const { bytes } = frameOf(delivery, user, first.blocks);
      const answered = sent?.by === user ? sent.messageId : undefined;
      for (const session of sessions) session.deliver(bytes, place, answered);
    }
    if (left !== undefined) this.#deps.presence.left(left, place);
    if (isGiven) this.#deps.metrics.routed(time);
  }

  #giveAccount({ user, event, revision, place, frame }: AccountDelivery): void {
    this.#deps.presence.accountChanged(user, event, place);
    const sessions = this.#deps.sessions.of(user);
    const [first] = sessions;
    if (first === undefined) return;
    first.blocks.see(event, revision);
    if (frame !== undefined) for (const session of sessions) session.deliver(frame, place, undefined);
    const ended = endedSessions(event);
    if (ended === undefined) return;
    for (const session of sessions) {
      if (ended === null || session.caller.deviceId === ended) session.end('token_expired');
    }
  }
}

const frameOf = ({ frame, whole, hidden }: FrameDelivery, user: UserId, blocks: BlockList): LazyFrame => {
  if (whole?.isFor === user) return whole.frame;
  return hidden !== undefined && blocks.hides(hidden.by) ? hidden.frame : frame;
};
