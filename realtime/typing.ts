import { rateLimit, type RateLimit } from '../command-side/rate-limit.ts';
import type { Clock } from '../command-side/clock.ts';
import type { ConversationId, UserId } from '../schemas/ids.ts';
import type { Limits } from '../schemas/limits.ts';
import type { Bus } from './bus.ts';
import { typingFrame } from './encode-frame.ts';
import { LazyFrame } from './lazy-frame.ts';
import type { Memberships } from './memberships.ts';
import type { Turnstile } from './turnstile.ts';

export interface TypingDeps {
  readonly bus: Bus;
  readonly memberships: Memberships;
  /** Reads of the store, of all sessions together. */
  readonly reads: Turnstile;
  readonly clock: Clock;
  readonly limits: Pick<Limits, 'presenceMembers'>;
}

const burst = 20;
const perSecond = 2;

/**
 * That somebody types, to the other members who are connected. Said once and forgotten: nothing of it is kept, answered or
 * refused, so what is too much, or not the user's to say, just does not happen.
 */
export class Typing {
  readonly #deps: TypingDeps;
  readonly #allowance: RateLimit;

  constructor(deps: TypingDeps) {
    this.#deps = deps;
    this.#allowance = rateLimit(burst, perSecond, deps.clock);
  }

  async say(by: UserId, id: ConversationId): Promise<void> {
    if (this.#allowance.take(by, 1) !== undefined) return;
    const { memberships, reads } = this.#deps;
    if (memberships.get(id) === undefined) {
      try {
        await reads.run(() => memberships.load(id));
      } catch {
        // There is no such conversation, or it cannot be read now.
        return;
      }
    }
    this.#show(by, id);
  }

  #show(by: UserId, id: ConversationId): void {
    const { bus, memberships, limits } = this.#deps;
    const known = memberships.get(id);
    if (known === undefined || known.blocked) return;
    const { members } = known.state;
    if (!members.has(by) || members.size > limits.presenceMembers) return;
    const receivers = [...members.keys()].filter((user) => user !== by);
    bus.publish({ is: 'typed', by, conversationId: id, receivers, frame: new LazyFrame(() => typingFrame(id, by)) });
  }
}
