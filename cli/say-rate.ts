const sayEveryMs = 1_000;

export interface Rate {
  /** So many are done, which is so much of all, where that is known. */
  readonly copied: (count: number, share?: number) => void;
  /** What was done in all, and how fast. */
  end(): string;
}

const number = (value: number): string => Math.round(value).toLocaleString('en-US');

/** Says on the terminal how far a copy is and how fast it goes, at most once a second. */
export const sayRate = (what: string, clock: { monotonic(): number }): Rate => {
  const beganAt = clock.monotonic();
  let [count, saidCount, saidAt] = [0, 0, beganAt];
  return {
    copied(now, share) {
      count = now;
      const elapsed = clock.monotonic() - saidAt;
      if (elapsed < sayEveryMs) return;
      const part = share === undefined ? '' : `${Math.floor(share * 100)}%, `;
      process.stderr.write(
        `${number(count)} ${what}, ${part}${number(((count - saidCount) / elapsed) * 1_000)} a second\n`,
      );
      saidCount = count;
      saidAt = clock.monotonic();
    },
    end() {
      const seconds = Math.max(clock.monotonic() - beganAt, 1) / 1_000;
      return `copied ${number(count)} ${what} in ${seconds.toFixed(1)} s, ${number(count / seconds)} a second`;
    },
  };
};
