import type { SnapshotStore } from '../command-side/snapshot-store.ts';
import type { Folded } from '../domain/conversation.ts';
import { userSettingsCodeVersion, userSettingsFromSnapshot } from '../domain/user-settings-snapshot.ts';
import { foldUserSettings, type UserSettings } from '../domain/user-settings.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { UserId } from '../schemas/ids.ts';
import { userStream, type StreamName } from '../schemas/streams.ts';

export interface LoadedBlocked {
  readonly blocked: ReadonlySet<UserId>;
  readonly erased: boolean;
  /** Of the last event of the user's stream. */
  readonly revision: number;
}

const pageEvents = 1_000;

/** Whom a user blocks at the end of its stream. */
export const loadBlocked = async (log: EventLog, snapshots: SnapshotStore, user: UserId): Promise<LoadedBlocked> => {
  const stream = userStream(user);
  let folded = await startingPoint(log, snapshots, stream);
  for (;;) {
    const events = await log.readStream(stream, folded.revision + 1, 'forwards', pageEvents);
    if (events.length === 0) {
      const { state, revision } = folded;
      return { blocked: state?.blocked ?? new Set(), erased: state?.erased ?? false, revision };
    }
    const next = foldUserSettings(folded, events);
    if ('blocked' in next) throw new Error(`${stream} holds ${next.blocked.type}, unknown here`);
    folded = next;
  }
};

/** The snapshot, if it is of this code and the log still holds the event it ends with. */
const startingPoint = async (
  log: EventLog,
  snapshots: SnapshotStore,
  stream: StreamName,
): Promise<Folded<UserSettings>> => {
  const snapshot = await snapshots.load(stream);
  const [last] =
    snapshot?.codeVersion === userSettingsCodeVersion
      ? await log.readStream(stream, snapshot.revision, 'forwards', 1)
      : [];
  if (snapshot === undefined || last?.link !== snapshot.link) return { state: undefined, revision: -1 };
  return { state: userSettingsFromSnapshot(snapshot.state), revision: snapshot.revision };
};
