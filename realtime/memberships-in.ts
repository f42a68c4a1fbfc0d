import type { SnapshotStore } from '../command-side/snapshot-store.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { ConversationId } from '../schemas/ids.ts';
import { conversationStream } from '../schemas/streams.ts';
import { loadMembership } from './load-membership.ts';
import { Memberships } from './memberships.ts';

/** Who is where, by a log and its snapshots. */
export const membershipsIn = (eventLog: EventLog, snapshots: SnapshotStore): Memberships =>
  new Memberships(
    (id) => loadMembership(eventLog, snapshots, id),
    (id, revision) => readName(eventLog, id, revision),
  );

const readName = async (log: EventLog, id: ConversationId, revision: number): Promise<string | null> => {
  const [named] = await log.readStream(conversationStream(id), revision, 'forwards', 1);
  return named?.event?.type === 'conversation-renamed' ? named.event.name : null;
};
