import type { LinkAnswer } from '../schemas/command-link.ts';
import { reject, type Rejection } from '../schemas/errors.ts';
import { busy, unavailable } from './answers.ts';
import type { LinkedRequest } from './command-link-request.ts';

/** A command side, as the lanes see it. */
export interface LanePeer {
  /** It may be given what nobody has. */
  readonly isOpen: boolean;
  /** It is open and has room. */
  readonly hasRoom: boolean;
  send(request: LinkedRequest): void;
  /** It owes an answer for too long. */
  owes(request: LinkedRequest): void;
}

/** Requests of one conversation or of one user, in the order in which they were handed over. */
interface Lane {
  readonly requests: LinkedRequest[];
  readonly held: Set<LinkedRequest>;
  /** Has what is under way. */
  peer: LanePeer | undefined;
}

export type Unanswered = 'hold_full' | 'held_too_long' | 'under_way_too_long' | 'closed';

export interface LanesDeps<Peer extends LanePeer> {
  readonly route: (lane: string) => Peer | undefined;
  /** Of any command side. */
  readonly hasRoom: () => boolean;
  readonly monotonic: () => number;
  readonly unanswered: (why: Unanswered) => void;
  readonly givenAgain: () => void;
}

const mostHeld = 10_000;
const mostHeldBytes = 32 * 1_024 * 1_024;
const holdMs = 10_000;
/** A command side answers within 10 s also where it cannot know what became of an append. */
const underWayMs = 15_000;

/**
 * Gives each lane to one command side at a time: another one has it only when nothing of it is under way any more, and then
 * from the oldest unanswered request on. So a lane keeps its order whatever happens to connections, and requests still go
 * without waiting for the answers of those before.
 */
export class Lanes<Peer extends LanePeer> {
  readonly #deps: LanesDeps<Peer>;
  readonly #lanes = new Map<string, Lane>();
  readonly #waiting = new Set<string>();
  #held = 0;
  #heldBytes = 0;
  #unsettled = 0;
  #drained: PromiseWithResolvers<void> | undefined;
  #refusal: Rejection | undefined;

  constructor(deps: LanesDeps<Peer>) {
    this.#deps = deps;
  }

  get held(): number {
    return this.#held;
  }

  handOver(request: LinkedRequest): void {
    if (this.#refusal !== undefined) {
      request.settle({ is: 'refused', rejection: this.#refusal });
      return;
    }
    const lane = this.#lanes.get(request.lane) ?? { requests: [], held: new Set(), peer: undefined };
    this.#lanes.set(request.lane, lane);
    lane.requests.push(request);
    this.#unsettled++;
    this.#hold(lane, request);
    this.#advance(request.lane, lane);
    const isFull = this.#held > mostHeld || this.#heldBytes > mostHeldBytes;
    if (!isFull || !lane.held.has(request)) return;
    this.#deps.unanswered('hold_full');
    this.#settle(request, busy('command-link'));
    this.#remove(lane, request);
    this.#advance(request.lane, lane);
  }

  answered(request: LinkedRequest, answer: LinkAnswer): void {
    const lane = this.#lanes.get(request.lane);
    if (lane === undefined) return;
    const { isSettled } = request;
    this.#remove(lane, request);
    if (!isSettled) request.settle(answer);
    this.#advance(request.lane, lane);
  }

  /** Those that had been given to a command side which will not answer them, oldest first. */
  returned(requests: readonly LinkedRequest[]): void {
    const touched = new Set<string>();
    for (const request of requests) {
      const lane = this.#lanes.get(request.lane);
      if (lane === undefined) continue;
      touched.add(request.lane);
      if (request.isSettled) this.#remove(lane, request);
      else {
        this.#deps.givenAgain();
        this.#hold(lane, request);
      }
    }
    for (const key of touched) {
      const lane = this.#lanes.get(key);
      if (lane !== undefined) this.#advance(key, lane);
    }
  }

  /** A command side can take more than before. */
  advance(): void {
    for (const key of this.#waiting) {
      if (!this.#deps.hasRoom()) return;
      const lane = this.#lanes.get(key);
      if (lane !== undefined) this.#advance(key, lane);
    }
  }

  /** Gives up what nobody has answered for too long. */
  sweep(): void {
    const now = this.#deps.monotonic();
    for (const [key, lane] of this.#lanes) {
      for (const request of lane.requests.filter(({ giveUpAt, isSettled }) => !isSettled && giveUpAt <= now)) {
        const isHeld = lane.held.has(request);
        this.#deps.unanswered(isHeld ? 'held_too_long' : 'under_way_too_long');
        this.#settle(request, unavailable(isHeld ? 'no command side answers' : 'the command side does not answer'));
        if (isHeld) this.#remove(lane, request);
        else lane.peer?.owes(request);
      }
      this.#advance(key, lane);
    }
  }

  /** Refuses what comes from now on; resolves when the rest is answered. */
  async drain(): Promise<void> {
    this.#refusal ??= reject('draining', 'this server is shutting down; nothing was written', { retryAfterMs: 1_000 });
    this.#drained ??= Promise.withResolvers();
    if (this.#unsettled === 0) this.#drained.resolve();
    await this.#drained.promise;
  }

  close(): void {
    this.#refusal = unavailable('this server is shutting down');
    const left = [...this.#lanes.values()].flatMap(({ requests }) => requests.filter(({ isSettled }) => !isSettled));
    this.#lanes.clear();
    this.#waiting.clear();
    this.#held = 0;
    this.#heldBytes = 0;
    for (const request of left) {
      this.#deps.unanswered('closed');
      this.#settle(request, this.#refusal);
    }
  }

  /** Who may be given more of a lane now: who has what is under way of it, else whoever is next. */
  #peerFor(key: string, lane: Lane): LanePeer | undefined {
    const isUnderWay = lane.requests.length > lane.held.size;
    return isUnderWay ? lane.peer : this.#deps.route(key);
  }

  #advance(key: string, lane: Lane): void {
    const peer = this.#peerFor(key, lane);
    if (peer !== undefined) {
      // Not in the order of `held`: what came back lies before what was never given.
      for (const request of lane.held.size === 0 ? [] : lane.requests) {
        if (!peer.hasRoom) break;
        if (!lane.held.has(request)) continue;
        this.#unhold(lane, request);
        lane.peer = peer;
        request.sentAt = this.#deps.monotonic();
        request.giveUpAt = this.#until(request, underWayMs);
        peer.send(request);
      }
    }
    if (lane.held.size > 0) this.#waiting.add(key);
    else this.#waiting.delete(key);
    if (lane.requests.length === 0) this.#lanes.delete(key);
  }

  /** However often it is given again, it is answered within the sum of both times. */
  #until({ handedOverAt }: LinkedRequest, milliseconds: number): number {
    return Math.min(this.#deps.monotonic() + milliseconds, handedOverAt + holdMs + underWayMs);
  }

  #hold(lane: Lane, request: LinkedRequest): void {
    lane.held.add(request);
    this.#held++;
    this.#heldBytes += request.bytes;
    request.giveUpAt = this.#until(request, holdMs);
  }

  #unhold(lane: Lane, request: LinkedRequest): void {
    if (!lane.held.delete(request)) return;
    this.#held--;
    this.#heldBytes -= request.bytes;
  }

  #remove(lane: Lane, request: LinkedRequest): void {
    this.#unhold(lane, request);
    const index = lane.requests.indexOf(request);
    if (index !== -1) lane.requests.splice(index, 1);
    if (!request.isSettled) {
      request.isSettled = true;
      this.#settled();
    }
  }

  #settle(request: LinkedRequest, rejection: Rejection): void {
    request.isSettled = true;
    request.settle({ is: 'refused', rejection });
    this.#settled();
  }

  #settled(): void {
    if (--this.#unsettled === 0) this.#drained?.resolve();
  }
}
