import { type Random, seeded } from '../seed.ts';

/**
 * What may befall one append. Of most there are two, for the client cannot tell whether it was written.
 *
 * - `timed-out-*`: the server answers that the deadline is exceeded.
 * - `unanswered-*`: it never answers.
 * - `cut-*`: the connection breaks. Unwritten, that happens with the first message of the append, so in the middle of one
 *   that comes in several.
 * - `reset-*`: the stream of all appends ends with RST_STREAM.
 * - `deafening`: neither it nor any later append on the same stream of appends is written or answered.
 * - `not-ready`: "Server Is Not Ready". Nothing is written.
 * - `late`: answered after `lateMs`.
 * - `answered-twice`: the second time at once, under the same id.
 * - `answered-by-stranger`: and once more at once under an id nobody sent, as the real server does 2 s after a refusal.
 */
export type AppendFault =
  | 'timed-out-written'
  | 'timed-out-unwritten'
  | 'unanswered-written'
  | 'unanswered-unwritten'
  | 'cut-written'
  | 'cut-unwritten'
  | 'reset-written'
  | 'reset-unwritten'
  | 'deafening'
  | 'not-ready'
  | 'late'
  | 'answered-twice'
  | 'answered-by-stranger';

export type ReadFault = 'not-ready' | 'unanswered' | 'cut' | 'reset' | 'late';

/** A fault that befalls one of so many. */
export interface Odds<Fault> {
  readonly fault: Fault;
  readonly oneIn: number;
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** How the server behaves until it is told otherwise. */
export interface Behaviour {
  /** "Server Is Not Ready" to everything, as between two leaders. */
  readonly notReady: boolean;
  /** Takes connections and calls, does nothing and never answers; subscriptions fall silent. */
  readonly mute: boolean;
  /** Another one: it takes appends for it, and sends reads away that ask for the leader. */
  readonly leader: Endpoint | null;
  /** Of a subscription that falls behind while live: 24.2.0 reads to it again, 23.10.6 ends it. */
  readonly slowSubscribers: 'read-to-again' | 'ended';
  /** Of a subscription from beyond the end of the log: 24.2.0 is deaf until the log has passed it, 23.10.6 says what is new. */
  readonly pastTheEnd: 'deaf' | 'heard';
  /** A subscription is ended after one of so many live events, as one that is too slow; 0: never. */
  readonly subscriptionEndedOneIn: number;
  /** A live subscription is told that it has caught up after one of so many events; 0: never again. */
  readonly caughtUpOneIn: number;
  readonly appends: readonly Odds<AppendFault>[];
  readonly reads: readonly Odds<ReadFault>[];
  readonly lateMs: number;
}

/** As 24.2.0 on a good day. */
export const healthy: Behaviour = {
  notReady: false,
  mute: false,
  leader: null,
  slowSubscribers: 'read-to-again',
  pastTheEnd: 'deaf',
  subscriptionEndedOneIn: 0,
  caughtUpOneIn: 0,
  appends: [],
  reads: [],
  lateMs: 100,
};

export class Faults {
  behaviour = healthy;
  /** How often all subscriptions were ended. */
  endings = 0;
  /** How often each fault has befallen a call. */
  readonly befallen: Record<string, number> = {};
  private nextAppends: AppendFault[] = [];
  private readonly random: Random;

  constructor(seed: number) {
    this.random = seeded(seed);
  }

  behave(changes: Partial<Behaviour>): void {
    this.behaviour = { ...this.behaviour, ...changes };
  }

  heal(): void {
    this.behaviour = healthy;
    this.nextAppends = [];
  }

  befallNextAppends(faults: readonly AppendFault[]): void {
    this.nextAppends.push(...faults);
  }

  endSubscriptions(): void {
    this.endings += 1;
  }

  forAppend(): AppendFault | undefined {
    return this.counted('append', this.appendFault());
  }

  forRead(): ReadFault | undefined {
    return this.counted('read', this.readFault());
  }

  endsSubscription(): boolean {
    return this.counted('subscription', this.happens(this.behaviour.subscriptionEndedOneIn) && 'ended') !== false;
  }

  saysCaughtUpAgain(): boolean {
    return this.counted('subscription', this.happens(this.behaviour.caughtUpOneIn) && 'caught-up-again') !== false;
  }

  private appendFault(): AppendFault | undefined {
    if (this.behaviour.notReady) return 'not-ready';
    if (this.behaviour.mute) return 'unanswered-unwritten';
    return this.nextAppends.shift() ?? this.drawn(this.behaviour.appends);
  }

  private readFault(): ReadFault | undefined {
    if (this.behaviour.notReady) return 'not-ready';
    if (this.behaviour.mute) return 'unanswered';
    return this.drawn(this.behaviour.reads);
  }

  private happens(oneIn: number): boolean {
    return oneIn > 0 && this.random.next() < 1 / oneIn;
  }

  private counted<Fault extends string | false | undefined>(what: string, fault: Fault): Fault {
    if (fault) this.befallen[`${what} ${fault}`] = (this.befallen[`${what} ${fault}`] ?? 0) + 1;
    return fault;
  }

  private drawn<Fault>(odds: readonly Odds<Fault>[]): Fault | undefined {
    return odds.find(({ oneIn }) => this.happens(oneIn))?.fault;
  }
}
