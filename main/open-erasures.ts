import { followErasures, type ErasureFollower, type FollowErasuresDeps } from '../command-side/follow-erasures.ts';
import { spreadErasedLedger } from './erased-ledger.ts';

/** Destroys the keys of erased users and says so beside the backups, until `stack` is unwound. */
export const openErasures = (
  data: string,
  deps: Omit<FollowErasuresDeps, 'destroyed'>,
  stack: AsyncDisposableStack,
): ErasureFollower => {
  const { accounts, warn } = deps;
  // Keys do not wait for a place of backups that is slow or away.
  let spreading: Promise<unknown> = Promise.resolve();
  const destroyed = (): void => {
    spreading = spreading
      .then(() => spreadErasedLedger(data, accounts, warn))
      .catch((error: unknown) => warn({ err: error }, 'the ledger of erased users could not be brought up to date'));
  };
  // A place that was away when somebody was erased gets it now.
  destroyed();
  const erasures = followErasures({ ...deps, destroyed });
  stack.defer(async () => {
    await erasures.close();
    await spreading;
  });
  return erasures;
};
