import { setTimeout as pause } from 'node:timers/promises';

/** Short beside what is looked for, long enough to be no load. */
const betweenMs = 10;

export interface Waits {
  readonly p99_ms: number;
  readonly longest_ms: number;
}

/** How long a request takes that needs nothing but a turn of the event loop, about a hundred times a second. */
export const askAlways = (url: string): { stop(): Promise<Waits> } => {
  let asking = true;
  const ask = async (): Promise<number[]> => {
    const waits: number[] = [];
    while (asking) {
      const from = performance.now();
      await (await fetch(url)).text();
      waits.push(performance.now() - from);
      await pause(betweenMs);
    }
    return waits;
  };
  const waits = ask();
  return {
    stop: async () => {
      asking = false;
      const sorted = (await waits).toSorted((a, b) => a - b);
      const at = (index: number): number => Number((sorted[index] ?? 0).toFixed(1));
      return { p99_ms: at(Math.floor(sorted.length * 0.99)), longest_ms: at(sorted.length - 1) };
    },
  };
};
