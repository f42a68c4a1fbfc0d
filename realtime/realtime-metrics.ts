import { closes, type CloseName } from '../schemas/errors.ts';
import { Counter, Histogram, type Metric } from '../schemas/metrics.ts';

export class RealtimeMetrics {
  readonly #closes = new Counter('parley_ws_closes_total');
  readonly #slow = new Counter('parley_slow_consumer_closes_total');
  readonly #latency = new Histogram('parley_delivery_latency_seconds');
  #routed: number[] = [];
  readonly all: readonly Metric[] = [this.#closes, this.#slow, this.#latency];

  closed(name: CloseName): void {
    this.#closes.add(String(closes[name].code));
    if (name === 'slow_consumer') this.#slow.add();
  }

  /** An event of this time was queued for somebody. */
  routed(time: number): void {
    this.#routed.push(time);
  }

  /** What was queued has been written to the sockets. */
  flushed(now: number): void {
    if (this.#routed.length === 0) return;
    for (const time of this.#routed) this.#latency.observe(Math.max(0, now - time));
    this.#routed = [];
  }
}
