import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LinkAnswer } from '../schemas/command-link.ts';
import { Lanes, type LanePeer } from './command-link-lanes.ts';
import type { LinkedRequest } from './command-link-request.ts';

const requestNumber = (number: number, lane: string, now: number, settle: (answer: LinkAnswer) => void) => ({
  number,
  lane,
  text: '',
  bytes: 100,
  handedOverAt: now,
  giveUpAt: 0,
  sentAt: 0,
  isSettled: false,
  settle,
});
const done: LinkAnswer = { is: 'presence', said: true };

/**
 * A command side as far as order goes: it begins what a connection brought in the order in which it came, says what it
 * said before to what it has done before, and goes on with what it has when the connection is gone.
 */
class Peer implements LanePeer {
  isOpen = true;
  hasRoom = true;
  isDraining = false;
  readonly most: number;
  readonly log: LinkedRequest[];
  received: LinkedRequest[] = [];
  answers: [LinkedRequest, LinkAnswer | 'draining'][] = [];
  readonly underWay = new Set<LinkedRequest>();
  /** Brought by connections that are gone. */
  orphans: LinkedRequest[] = [];

  constructor(log: LinkedRequest[], most: number) {
    this.log = log;
    this.most = most;
  }

  #keepRoom(): void {
    this.hasRoom = this.isOpen && this.underWay.size < this.most;
  }

  send(request: LinkedRequest): void {
    if (!this.hasRoom) throw new Error('a request was given to a command side without room');
    this.underWay.add(request);
    // At once, while what came before may still wait for its turn.
    if (this.isDraining) this.answers.push([request, 'draining']);
    else this.received.push(request);
    this.#keepRoom();
  }

  owes(): void {}

  #done(request: LinkedRequest): void {
    if (!this.log.includes(request)) this.log.push(request);
  }

  decide(): void {
    const orphan = this.orphans.shift();
    if (orphan !== undefined) {
      this.#done(orphan);
      return;
    }
    const request = this.received.shift();
    if (request === undefined) return;
    this.#done(request);
    this.answers.push([request, done]);
  }

  /** Answers come in any order. */
  reply(lanes: Lanes<Peer>, which: number): void {
    const [answered] = this.answers.splice(which % Math.max(1, this.answers.length), 1);
    if (answered === undefined) return;
    const [request, answer] = answered;
    this.underWay.delete(request);
    if (answer === 'draining') {
      this.isOpen = false;
      this.#keepRoom();
      lanes.returned([request]);
    } else {
      this.#keepRoom();
      lanes.answered(request, answer);
    }
    lanes.advance();
  }

  /** `arrived`: how many of what was not begun had come over; the rest is lost with the connection. */
  cut(lanes: Lanes<Peer>, arrived: number): void {
    this.orphans.push(...this.received.slice(0, arrived));
    const returned = [...this.underWay];
    this.received = [];
    this.answers = [];
    this.underWay.clear();
    this.isOpen = this.hasRoom = false;
    lanes.returned(returned);
  }

  open(lanes: Lanes<Peer>): void {
    if (this.underWay.size > 0 || this.isOpen) return;
    this.isOpen = this.hasRoom = true;
    this.isDraining = false;
    lanes.advance();
  }
}

const peerIndex = fc.nat({ max: 2 });
const step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ does: fc.constant('hand over' as const), lane: fc.nat({ max: 2 }) }) },
  { weight: 6, arbitrary: fc.record({ does: fc.constant('decide' as const), peer: peerIndex }) },
  { weight: 6, arbitrary: fc.record({ does: fc.constant('reply' as const), peer: peerIndex, which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('cut' as const), peer: peerIndex, arrived: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('drain' as const), peer: peerIndex }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('open' as const), peer: peerIndex }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('reroute' as const), by: fc.nat() }) },
);

interface Scene {
  readonly lanes: Lanes<Peer>;
  readonly peers: readonly Peer[];
  readonly log: LinkedRequest[];
  now: number;
  reroute: number;
}

const scene = (): Scene => {
  const log: LinkedRequest[] = [];
  const peers = [new Peer(log, 2), new Peer(log, 3), new Peer(log, 100)];
  const made: Scene = {
    log,
    peers,
    now: 0,
    reroute: 0,
    lanes: new Lanes<Peer>({
      route: (lane) => {
        const open = peers.filter(({ isOpen }) => isOpen);
        return open[(Number(lane) + made.reroute) % Math.max(1, open.length)];
      },
      hasRoom: () => peers.some(({ hasRoom }) => hasRoom),
      monotonic: () => made.now,
      unanswered: () => undefined,
      givenAgain: () => undefined,
    }),
  };
  return made;
};

test('F57, F58, D12: a lane keeps its order through cuts, drains, full command sides and changes of the route', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const all = scene();
      const { lanes, peers, log } = all;
      const handedOver: LinkedRequest[] = [];
      const answered: number[] = [];
      for (const one of steps) {
        const peer = 'peer' in one ? peers[one.peer] : undefined;
        switch (one.does) {
          case 'hand over': {
            const number = handedOver.length;
            const request = requestNumber(number, String(one.lane), 0, (answer) => {
              expect(answer).toEqual(done);
              answered.push(number);
            });
            handedOver.push(request);
            lanes.handOver(request);
            break;
          }
          case 'decide':
            peer?.decide();
            break;
          case 'reply':
            peer?.reply(lanes, one.which);
            break;
          case 'cut':
            peer?.cut(lanes, one.arrived);
            break;
          case 'drain':
            if (peer !== undefined) peer.isDraining = true;
            break;
          case 'open':
            peer?.open(lanes);
            break;
          case 'reroute':
            all.reroute = one.by;
            break;
          default:
            one satisfies never;
        }
      }
      for (let round = 0; round < handedOver.length + 3; round++)
        for (const peer of peers) {
          while (peer.received.length + peer.orphans.length > 0) peer.decide();
          while (peer.answers.length > 0) peer.reply(lanes, 0);
          peer.open(lanes);
        }

      expect(answered.toSorted((a, b) => a - b)).toEqual(handedOver.map(({ number }) => number));
      for (const lane of ['0', '1', '2']) {
        const numbers = (of: readonly LinkedRequest[]) =>
          of.filter((one) => one.lane === lane).map((one) => one.number);
        expect(numbers(log)).toEqual(numbers(handedOver));
      }
      expect(lanes.held).toBe(0);
    }),
    { numRuns: 2_000 },
  );
});

test('F58: every request has exactly one answer, within 25 seconds whatever becomes of the connections', () => {
  const tick = fc.record({ does: fc.constant('wait' as const), milliseconds: fc.nat({ max: 9_000 }) });
  fc.assert(
    fc.property(fc.array(fc.oneof(step, { weight: 4, arbitrary: tick }), { maxLength: 80 }), (steps) => {
      const all = scene();
      const { lanes, peers } = all;
      const waits: number[] = [];
      let handedOver = 0;
      for (const one of steps) {
        const peer = 'peer' in one ? peers[one.peer] : undefined;
        if (one.does === 'hand over') {
          const handedOverAt = all.now;
          lanes.handOver(
            requestNumber(handedOver++, String(one.lane), all.now, () => waits.push(all.now - handedOverAt)),
          );
        } else if (one.does === 'decide') peer?.decide();
        else if (one.does === 'reply') peer?.reply(lanes, one.which);
        else if (one.does === 'cut') peer?.cut(lanes, one.arrived);
        else if (one.does === 'open') peer?.open(lanes);
        else if (one.does === 'wait')
          for (let left = one.milliseconds; left > 0; left -= 250) {
            all.now += Math.min(left, 250);
            lanes.sweep();
          }
      }
      for (let second = 0; second < 26 * 4; second++) {
        all.now += 250;
        lanes.sweep();
      }
      expect(waits).toHaveLength(handedOver);
      expect(Math.max(0, ...waits)).toBeLessThanOrEqual(25_250);
      expect(lanes.held).toBe(0);
    }),
    { numRuns: 300 },
  );
});
