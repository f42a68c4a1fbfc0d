import type { AppliedPosition } from './read-model.ts';

/**
 * How old a position must be before nothing up to it can be forgotten any more: longer than any cluster waits before it
 * puts on the disk what it acknowledged (`commitlog_sync_period`, 10 s unless it is changed).
 */
export const safeAfterMs = 30_000;

interface Applied {
  readonly position: AppliedPosition;
  readonly at: number;
}

/** The positions that were applied of late, by a clock that only rises. */
export interface SafePositions {
  /** To be called when rows and position are written; the answer is the newest that is safe. */
  applied(position: AppliedPosition, now: number): AppliedPosition | undefined;
  /** Something may have been forgotten, or another one wrote: only what was stored as safe is. */
  startFrom(safe: AppliedPosition | undefined): void;
}

const remembered = 64;

export const safePositions = (): SafePositions => {
  let safe: AppliedPosition | undefined;
  let recent: Applied[] = [];
  return {
    applied(position, now) {
      const last = recent.at(-1);
      // So few are enough, for it may be older than it has to be.
      if (last === undefined || now - last.at >= safeAfterMs / remembered) recent.push({ position, at: now });
      const old = recent.filter(({ at }) => now - at >= safeAfterMs);
      safe = old.at(-1)?.position ?? safe;
      recent = recent.slice(old.length);
      return safe;
    },
    startFrom(stored) {
      safe = stored;
      recent = [];
    },
  };
};
