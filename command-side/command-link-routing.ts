const fnvPrime = 0x01000193;
const fnvOffset = 0x811c9dc5;

const hash = (text: string): number => {
  let mixed = fnvOffset;
  for (let i = 0; i < text.length; i++) mixed = Math.imul(mixed ^ text.charCodeAt(i), fnvPrime);
  return mixed;
};

/** The last step of MurmurHash3: every bit of the input turns half of the output. */
const spread = (bits: number): number => {
  let mixed = bits;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
};

export interface Routable {
  readonly address: string;
  readonly isOpen: boolean;
}

/**
 * Rendezvous hashing: every process that knows the same addresses sends a lane to the same command side, and one that goes
 * away moves its own lanes only. It spares conflicts and keeps caches warm; nothing is wrong when two processes disagree.
 */
export const rendezvous = <Peer extends Routable>(peers: readonly Peer[]): ((lane: string) => Peer | undefined) => {
  const seeded = peers.map((peer) => ({ peer, seed: spread(hash(peer.address)) }));
  return (lane) => {
    const bits = hash(lane);
    let best: Peer | undefined;
    let highest = -1;
    for (const { peer, seed } of seeded) {
      if (!peer.isOpen) continue;
      const score = spread(bits ^ seed);
      if (score <= highest) continue;
      highest = score;
      best = peer;
    }
    return best;
  };
};
