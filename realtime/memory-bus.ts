import type { Bus, BusMessage } from './bus.ts';

type Report = (error: unknown) => void;

/** Within one process: whoever listens has heard a message when it is published. */
export const memoryBus = (report: Report): Bus => {
  const listeners = new Set<(message: BusMessage) => void>();
  return {
    publish(message) {
      for (const listener of listeners) {
        try {
          listener(message);
        } catch (error) {
          report(error);
        }
      }
    },
    listen(listener) {
      // One of its own, so that a function that listens twice is two listeners.
      const mine = (message: BusMessage): void => listener(message);
      listeners.add(mine);
      return () => void listeners.delete(mine);
    },
  };
};
