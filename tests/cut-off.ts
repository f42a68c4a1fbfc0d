import type { Carry } from './proxy.ts';
import { together } from './proxy.ts';

export interface Cut {
  /** Of both directions together, after which the connection ends. */
  readonly afterBytes: number;
  /** By which every piece is late. */
  readonly delayMs: number;
}

/** Each connection ends as the next cut says; those after the last one live, and carry everything at once. */
export const cutOff = (cuts: readonly Cut[]): { readonly carry: Carry; readonly made: () => number } => {
  let made = 0;
  const carry: Carry = (client, upstream) => {
    const { afterBytes, delayMs } = cuts[made++] ?? { afterBytes: Infinity, delayMs: 0 };
    const cut = together(client, upstream);
    let left = afterBytes;
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      let last = Promise.resolve();
      from.on('data', (bytes: Buffer) => {
        last = last.then(async () => {
          if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
          if (left <= 0 || to.destroyed) return;
          to.write(bytes.subarray(0, Math.min(bytes.length, left)));
          left -= bytes.length;
          if (left <= 0) setImmediate(cut);
        });
      });
    }
  };
  return { carry, made: () => made };
};
