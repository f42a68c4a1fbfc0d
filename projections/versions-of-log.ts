import type { EventLog } from '../event-log/event-log.ts';
import { unbrokenLogs } from '../event-log/unbroken-logs.ts';
import type { LogId } from '../schemas/position.ts';
import type { NamedVersion } from './version-store.ts';

const buildInName = /-b([0-9]{1,9})$/;

export interface VersionNames {
  /** The name of a version of this program that was built along a log; it ends with `-b` and the build. */
  readonly nameIn: (log: LogId, build: number) => string;
  readonly removeOther: (name: string) => Promise<void>;
}

/**
 * Of names that a server holds, the versions that this program can follow, oldest first: of this log or one it goes on from
 * without a loss. Every other is removed.
 */
export const versionsOfLog = async (
  eventLog: EventLog,
  names: readonly string[],
  { nameIn, removeOther }: VersionNames,
): Promise<readonly NamedVersion[]> => {
  const logs = [...(await unbrokenLogs(eventLog))];
  const found: NamedVersion[] = [];
  for (const name of names) {
    const build = Number(buildInName.exec(name)?.[1]);
    if (logs.some((log) => nameIn(log, build) === name)) found.push({ name, build });
    else await removeOther(name);
  }
  return found.toSorted((one, other) => one.build - other.build);
};
