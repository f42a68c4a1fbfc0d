/** What one run of the driver does: the same for every server measured. */
export interface DriverPlan {
  readonly protocol: 'ceiling' | 'parley';
  readonly port: number;
  /** Clients in pairs: 0 writes to 1 and 1 to 0, 2 to 3 … */
  readonly clients: readonly DriverClient[];
  readonly load: DriverLoad;
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

/** Messages that every client keeps under way, or how many a second all together begin, one client after the other. */
export type DriverLoad = { readonly window: number } | { readonly perSecond: number };

export interface DriverClient {
  readonly token: string;
  readonly conversationId: string;
}

export interface DriverResult {
  readonly clients: number;
  readonly delivered_per_s: number;
  readonly accepted_per_s: number;
  /** With those of the warm-up. */
  readonly sent: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  /** Accepted or under way at the end, and not delivered ten seconds after the last send. */
  readonly lost: number;
  readonly duplicate: number;
  readonly out_of_order: number;
  /** Of one core, by the driver itself. */
  readonly driver_cpu: number;
}
