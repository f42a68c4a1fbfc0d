import type { Bus, RoutedBatch } from './bus.ts';

type Report = (error: unknown) => void;

/** Within one process: whoever listens has heard a batch when it is published. */
export const memoryBus = (report: Report): Bus => {
  const listeners = new Set<(batch: RoutedBatch) => void>();
  return {
    publish(batch) {
      for (const listener of listeners) {
        try {
          listener(batch);
        } catch (error) {
          report(error);
        }
      }
    },
    listen(listener) {
      // One of its own, so that a function that listens twice is two listeners.
      const mine = (batch: RoutedBatch): void => listener(batch);
      listeners.add(mine);
      return () => void listeners.delete(mine);
    },
  };
};
