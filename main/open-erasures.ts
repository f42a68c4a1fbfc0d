import { followErasures, type ErasureFollower, type FollowErasuresDeps } from '../command-side/follow-erasures.ts';
import { spreadErasedLedger } from './erased-ledger.ts';

/** Destroys the keys of erased users and says so beside the backups, until `stack` is unwound. */
export const openErasures = async (
  data: string,
  deps: Omit<FollowErasuresDeps, 'destroyed'>,
  stack: AsyncDisposableStack,
): Promise<ErasureFollower> => {
  const destroyed = (): Promise<void> => spreadErasedLedger(data, deps.accounts, deps.warn);
  // A place that was away when somebody was erased gets it now.
  await destroyed();
  const erasures = followErasures({ ...deps, destroyed });
  stack.defer(() => erasures.close());
  return erasures;
};
