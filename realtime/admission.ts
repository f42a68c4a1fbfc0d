import type { Clock, RandomBytes } from '../command-side/clock.ts';
import { rateLimit, type RateLimit } from '../command-side/rate-limit.ts';
import { reject, type Rejection } from '../schemas/errors.ts';
import type { AdmissionLimits } from '../schemas/limits.ts';
import { isLoopback, networkOf } from './client-address.ts';

const handshakesAtOnce = 1_024;
const retryMs = { handshakes: 1_000, sockets: 60_000 } as const;
/** Those who come all at once, after a crash, come back spread over this. */
const spreadMs = 9_000;

/**
 * Who is let in, before anything costly is done for it: a bounded number of handshakes at once and a second, and of sockets
 * for each user and network. Who is refused is told when to come back, each another time.
 */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #randomBytes: RandomBytes;
  readonly #allowance: RateLimit;
  readonly #sockets = new Map<string, number>();
  #handshakes = 0;

  constructor(limits: AdmissionLimits, clock: Clock, randomBytes: RandomBytes) {
    this.#limits = limits;
    this.#randomBytes = randomBytes;
    this.#allowance = rateLimit(limits.handshakeBurst, limits.handshakesPerSecond, clock);
  }

  /** Begins a handshake, or says why not. */
  begin(address: string): Rejection | undefined {
    const refusal = this.#tooManyOf(address);
    if (refusal !== undefined) return refusal;
    if (this.#handshakes >= handshakesAtOnce || this.#allowance.take('all', 1) !== undefined)
      return this.#busy('handshakes', 'too many handshakes');
    this.#handshakes++;
    return undefined;
  }

  end(): void {
    this.#handshakes--;
  }

  /** Why a user who has `sockets` of them may not have another. */
  refuse(address: string, sockets: number): Rejection | undefined {
    if (sockets >= this.#limits.socketsPerUser) return this.#busy('sockets', 'too many sockets of this user');
    return this.#tooManyOf(address);
  }

  opened(address: string): void {
    this.#count(address, 1);
  }

  closed(address: string): void {
    this.#count(address, -1);
  }

  #tooManyOf(address: string): Rejection | undefined {
    return (this.#sockets.get(networkOf(address)) ?? 0) >= this.#limits.socketsPerAddress
      ? this.#busy('sockets', 'too many sockets from this address')
      : undefined;
  }

  #count(address: string, more: 1 | -1): void {
    if (isLoopback(address)) return;
    const network = networkOf(address);
    const count = (this.#sockets.get(network) ?? 0) + more;
    if (count === 0) this.#sockets.delete(network);
    else this.#sockets.set(network, count);
  }

  #busy(limiter: keyof typeof retryMs, message: string): Rejection {
    const jitter = Math.floor(((this.#randomBytes(1)[0] ?? 0) / 256) * spreadMs);
    return reject('busy', message, { limiter, retryAfterMs: retryMs[limiter] + jitter });
  }
}
