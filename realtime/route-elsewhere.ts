import type { Clock } from '../command-side/clock.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { AskRouters } from './ask-routers.ts';
import type { Bus, BusMessage, RoutedBatch } from './bus.ts';
import type { EverySecond } from './every-second.ts';
import { headOf } from './head-of.ts';
import type { Routing, RoutingShared } from './routing.ts';

export interface RouteElsewhereDeps {
  readonly eventLog: EventLog;
  readonly bus: Pick<Bus, 'listen'>;
  readonly ask: AskRouters;
  readonly clock: Clock;
  readonly everySecond: EverySecond;
  readonly warn: (details: Readonly<Record<string, unknown>>, message: string) => void;
}

/** A router says at least once a second how far it is. */
const quietMs = 2_000;
const silentMs = 5_000;

/**
 * Hears the routers of other processes over the bus; while the bus is quiet, they are asked once a second instead, so that
 * without it messages come later and not never. Memberships are loaded anew after each change that is heard of.
 */
export const routeElsewhere =
  (deps: RouteElsewhereDeps) =>
  ({ memberships }: RoutingShared): Routing => {
    const { eventLog, bus, ask, clock, everySecond, warn } = deps;
    const stopping = new AbortController();
    const listeners = new Set<(message: BusMessage) => void>();
    const begins = headOf(eventLog);
    let through = begins.place;
    let heardAt = clock.monotonic();
    let asking: Promise<void> | undefined;
    let isSilent = false;

    const forgetAltered = ({ deliveries }: RoutedBatch): void => {
      for (const delivery of deliveries)
        if (delivery.is === 'frame' && delivery.alters !== undefined) memberships.forget(delivery.alters);
    };
    const hear = (message: BusMessage): void => {
      if (message.is === 'batch') {
        forgetAltered(message);
        heardAt = clock.monotonic();
        isSilent = false;
        through = Math.max(through, message.through);
      }
      for (const listener of listeners) listener(message);
    };
    const stopHearing = bus.listen(hear);

    const askOnce = async (): Promise<void> => {
      try {
        for (const batch of await ask(through, undefined, stopping.signal)) hear(batch);
        heardAt = clock.monotonic();
      } catch (error) {
        if (stopping.signal.aborted || isSilent) return;
        isSilent = true;
        warn({ err: error }, 'no router is heard: nothing is delivered until one answers');
      }
    };
    const stopAsking = everySecond(() => {
      if (clock.monotonic() - heardAt >= quietMs) asking ??= askOnce().finally(() => (asking = undefined));
    });

    return {
      begins,
      listen(listener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      async range(from, upTo) {
        try {
          const batches = await ask(from, upTo, stopping.signal);
          batches.forEach(forgetAltered);
          return batches;
        } catch (error) {
          // What changed in it nobody will tell.
          memberships.forgetAll();
          throw error;
        }
      },
      stopped: () => (clock.monotonic() - heardAt >= silentMs ? 'no router is heard' : undefined),
      async close() {
        stopping.abort();
        stopHearing();
        stopAsking();
        await asking;
      },
    };
  };
