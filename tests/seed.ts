/**
 * The seed of a test's random choices: printed, so that a failure can be repeated, and taken from `PARLEY_TEST_SEED` to
 * repeat one.
 */
export const seedFor = (id: string): number => {
  const seed = Number(process.env['PARLEY_TEST_SEED'] ?? Date.now() % 1_000_000_007);
  console.log(`${id} seed ${seed}; repeat: PARLEY_TEST_SEED=${seed} npx vitest run --project e2e -t ${id}`);
  return seed;
};

/** The long form of a fault test. */
export const soaking = process.env['SOAK'] === '1';

export interface Random {
  /** 0 ≤ x < 1. */
  next(): number;
  /** An integer, both ends included. */
  between(least: number, most: number): number;
  oneOf<T>(choices: readonly T[]): T;
  bytes(count: number): Uint8Array<ArrayBuffer>;
}

/** Mulberry32: small, and the same everywhere. */
export const seeded = (seed: number): Random => {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1));
  return {
    next,
    between,
    oneOf: (choices) => {
      const choice = choices[Math.floor(next() * choices.length)];
      if (choice === undefined) throw new Error('nothing to choose from');
      return choice;
    },
    bytes: (count) => Uint8Array.from({ length: count }, () => between(0, 255)),
  };
};
