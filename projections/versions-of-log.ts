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

/** Which of these, oldest first, is asked: the one that was switched to, for what is being built is not before that. */
export const askedOf = <Found extends { readonly name: string }>(
  found: readonly Found[],
  switchedTo: { readonly name: string } | undefined,
): Found | undefined => found.find(({ name }) => name === switchedTo?.name) ?? found[0];

/** Those of a log, or of one that it goes on from without a loss, oldest first. */
export const namesOfLog = async (
  eventLog: EventLog,
  names: readonly string[],
  nameIn: VersionNames['nameIn'],
): Promise<readonly NamedVersion[]> => {
  const logs = [...(await unbrokenLogs(eventLog))];
  return names
    .map((name) => ({ name, build: Number(buildInName.exec(name)?.[1]) }))
    .filter(({ name, build }) => logs.some((log) => nameIn(log, build) === name))
    .toSorted((one, other) => one.build - other.build);
};

/**
 * Of names that a server holds, the versions that this program can follow, oldest first: of this log or one it goes on from
 * without a loss. Every other is removed.
 */
export const versionsOfLog = async (
  eventLog: EventLog,
  names: readonly string[],
  { nameIn, removeOther }: VersionNames,
): Promise<readonly NamedVersion[]> => {
  const found = await namesOfLog(eventLog, names, nameIn);
  for (const name of names) if (!found.some((one) => one.name === name)) await removeOther(name);
  return found;
};
