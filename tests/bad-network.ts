import type { Socket } from 'node:net';
import { together, type Carry } from './proxy.ts';
import type { Random } from './seed.ts';

/** What befalls a connection once it has carried so many bytes. */
type End = 'reset' | 'half-close' | 'cut';

export interface Troubles {
  /** Connections that ended in each way. */
  readonly ended: Record<End, number>;
  bytewise: number;
}

const mostDelayMs = 20;
/** One piece in so many waits for longer. */
const stallEvery = 400;
const longestStallMs = 2_000;
const bytesAlone = 400;

/**
 * A network on which every piece is late by another time, in order; every other connection begins byte by byte; and each
 * ends before long: by a reset, in the middle of a frame, or in one direction only.
 */
export const badNetwork = (random: Random): { readonly carry: Carry; readonly troubles: Troubles } => {
  const troubles: Troubles = { ended: { reset: 0, 'half-close': 0, cut: 0 }, bytewise: 0 };

  const carry: Carry = (client, upstream) => {
    const cut = together(client, upstream);
    const end = random.oneOf<End>(['reset', 'half-close', 'cut']);
    const isBytewise = random.next() < 0.5;
    if (isBytewise) troubles.bytewise++;
    let left = random.between(20_000, 200_000);

    const befall = (to: Socket): void => {
      troubles.ended[end]++;
      if (end === 'cut') cut();
      else if (end === 'half-close') to.end();
      else {
        client.resetAndDestroy();
        upstream.resetAndDestroy();
      }
    };
    const write = (to: Socket, bytes: Buffer, alone: number): void => {
      for (let at = 0; at < alone; at++) to.write(bytes.subarray(at, at + 1));
      if (alone < bytes.length) to.write(bytes.subarray(alone));
    };
    const way = (from: Socket, to: Socket): void => {
      let last = Promise.resolve();
      let bytewise = isBytewise ? bytesAlone : 0;
      from.on('data', (bytes: Buffer) => {
        if (left <= 0) return;
        const delivered = bytes.subarray(0, left);
        left -= delivered.length;
        const isLast = left <= 0;
        const delay = random.between(0, random.between(1, stallEvery) === 1 ? longestStallMs : mostDelayMs);
        last = last.then(async () => {
          await new Promise((resolve) => setTimeout(resolve, delay));
          if (to.destroyed || to.writableEnded) return;
          const alone = Math.min(bytewise, delivered.length);
          bytewise -= alone;
          write(to, delivered, alone);
          if (isLast) befall(to);
        });
      });
    };
    way(client, upstream);
    way(upstream, client);
  };
  return { carry, troubles };
};
