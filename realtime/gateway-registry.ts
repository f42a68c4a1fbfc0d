/** What a gateway says of itself. */
export interface AnnouncedGateway {
  /** Of the process: one that starts again at the same address is another one. */
  readonly serverId: string;
  /** Where clients reach it. */
  readonly url: string;
  readonly region: string | null;
  /** Sockets open now. */
  readonly connections: number;
  /** How many sockets it should have at most; null: it does not say. */
  readonly capacity: number | null;
  /** It is about to end, and takes no new sockets. */
  readonly draining: boolean;
  /** Why it takes none although it goes on; null: it takes them. */
  readonly notReady: string | null;
  /** When the process began, by its own clock. */
  readonly since: number;
}

/** What is known of a gateway. */
export interface KnownGateway extends AnnouncedGateway {
  /** Since it last said so, by the clock of the registry: clocks of processes differ. */
  readonly silentMs: number;
}

/** A gateway that is not heard of for so long is forgotten: its process crashed, or is cut off. */
export const gatewayTtlMs = 300_000;

/** Three heartbeats were missed: no client is sent to it, though it may be heard of again. */
export const suspectAfterMs = 30_000;

/** Whoever has more than these has a proxy in front that knows them. */
export const mostGateways = 1_000;

/**
 * Which gateways there are. Clients are sent to them by it and operators see them in it; no message's way depends on it.
 * Nothing of it is durable: what is lost comes back with the next announcements. So every call may reject.
 */
export interface GatewayRegistry {
  /** In place of what the same process said before. */
  announce(gateway: AnnouncedGateway): Promise<void>;

  /** It has ended. */
  withdraw(serverId: string): Promise<void>;

  /** Those that were heard of within `gatewayTtlMs`, the last heard first, at most `mostGateways`. */
  list(): Promise<readonly KnownGateway[]>;
}

/** The gateways as they were when the registry last answered. */
export interface GatewaysSeen {
  readonly gateways: readonly KnownGateway[];
  /** The registry does not answer: they may have changed. */
  readonly isStale: boolean;
}
