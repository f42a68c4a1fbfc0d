import type { EventLog } from '../event-log/event-log.ts';
import type { Limits } from '../schemas/limits.ts';
import type { Bus, BusMessage, RoutedBatch } from './bus.ts';
import type { FlushTurn } from './flush-turn.ts';
import type { Place } from './head-of.ts';
import { keepFollowing } from './keep-following.ts';
import type { Memberships } from './memberships.ts';
import { Router } from './router.ts';

/** Where a gateway gets from what it gives to its sessions: a router of its own process, or those of others. */
export interface Routing {
  /** Everything up to here came before. */
  readonly begins: Place;
  /** Until the function it returns is called. */
  listen(listener: (message: BusMessage) => void): () => void;
  /** What there is after a place, up to another; rejects where no router tells. */
  range(from: number, through: number): Promise<readonly RoutedBatch[]>;
  /** Why nothing comes now; undefined: it does. */
  stopped(): string | undefined;
  close(): Promise<void>;
}

/** What a router and the gateway beside it have in common. */
export interface RoutingShared {
  readonly memberships: Memberships;
  readonly turn: FlushTurn;
  /** Whether anybody at all listens: else nobody's members are looked up. */
  readonly isHeard: () => boolean;
}

export interface RouteHereDeps {
  readonly eventLog: EventLog;
  readonly bus: Bus;
  readonly limits: Pick<Limits, 'receiptsMembers'>;
  readonly warn: (details: Readonly<Record<string, unknown>>, message: string) => void;
}

export interface RoutingHere extends Routing {
  /** Everything up to here is published. */
  readonly place: number;
}

/** A router in this process, which goes on after every fault that may pass. */
export const routeHere =
  (deps: RouteHereDeps) =>
  (shared: RoutingShared): RoutingHere => {
    const stopping = new AbortController();
    const { signal } = stopping;
    const router = new Router({ ...deps, ...shared });
    // Whoever makes it listens first.
    const following = Promise.resolve().then(() => keepFollowing(router, signal, deps.warn));
    return {
      begins: router.at,
      get place() {
        return router.at.place;
      },
      listen: (listener) => deps.bus.listen(listener),
      range: (from, through) => router.range(from, through, signal),
      stopped: () => router.stopped,
      async close() {
        stopping.abort();
        await following;
      },
    };
  };
