import type { Clock } from '../command-side/clock.ts';
import { eraseUser } from '../command-side/erase-user.ts';
import { randomPool } from '../command-side/random-pool.ts';
import type { Warn } from '../command-side/warn.ts';
import { startEpoch } from '../event-log/epochs.ts';
import type { Configuration } from '../schemas/configuration.ts';
import { reject } from '../schemas/errors.ts';
import { userId } from '../schemas/ids.ts';
import type { LogPosition } from '../schemas/position.ts';
import { cassandraClusters } from './open-cassandra.ts';
import { lockData } from './lock-data.ts';
import { openStores } from './open-stores.ts';
import { Refused } from './refused.ts';
import type { StartWait } from './start-wait.ts';

export interface BeganEpoch {
  /** The last event that is there again. */
  readonly after: LogPosition;
  /** Users who were erased after the copy was made, and are again. */
  readonly erased: number;
}

/**
 * Begins a new epoch of a log that was brought back from an older copy by its server's own tools, before anything else is
 * appended: positions of the tail that was lost are told from those that follow. Whose key is destroyed stays erased.
 */
export const beginEpoch = async (
  configuration: Configuration,
  clock: Clock,
  warn: Warn,
  starting: StartWait,
): Promise<BeganEpoch> => {
  const randomBytes = randomPool();
  await using stack = new AsyncDisposableStack();
  const cassandra = cassandraClusters(warn, starting, stack);
  await lockData(configuration, stack);
  const { eventLog, accounts } = await openStores(
    configuration,
    { clock, randomBytes, warn, cassandra, starting },
    stack,
  );
  const after = eventLog.head();
  const started = await startEpoch(eventLog, 'restored', { clock, randomBytes });
  if (started.outcome !== 'appended') {
    throw new Refused(reject('unavailable', `the new epoch could not begin: ${started.outcome}`));
  }
  let erased = 0;
  for (const subject of await accounts.destroyed()) {
    if (!subject.startsWith('user:')) continue;
    const outcome = await eraseUser({ eventLog, clock, randomBytes }, userId.parse(subject.slice('user:'.length)));
    if (outcome.outcome === 'erased') erased++;
    else if (outcome.outcome === 'rejected' && outcome.rejection.code !== 'user_not_found') {
      throw new Refused(outcome.rejection);
    }
  }
  return { after, erased };
};
