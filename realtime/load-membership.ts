import type { SnapshotStore } from '../command-side/snapshot-store.ts';
import type { Folded, Membership } from '../domain/conversation.ts';
import { conversationCodeVersion, conversationFromSnapshot } from '../domain/conversation-snapshot.ts';
import { foldMembership } from '../domain/membership.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { ConversationId } from '../schemas/ids.ts';
import { conversationStream, type StreamName } from '../schemas/streams.ts';

export interface LoadedMembership {
  readonly state: Membership;
  readonly revision: number;
  /** The next event is critical and unknown to this process: what it did to the members nobody here can say. */
  readonly blocked: boolean;
}

const pageEvents = 1_000;
const beginning: Folded<Membership> = { state: undefined, revision: -1 };

/** A conversation's membership at the end of its stream; undefined if the stream is missing, or unreadable from its start. */
export const loadMembership = async (
  log: EventLog,
  snapshots: SnapshotStore,
  id: ConversationId,
): Promise<LoadedMembership | undefined> => {
  const stream = conversationStream(id);
  let folded = await startingPoint(log, snapshots, stream);
  for (;;) {
    const events = await log.readStream(stream, folded.revision + 1, 'forwards', pageEvents);
    let next = foldMembership(folded, events);
    const blocked = 'blocked' in next;
    if ('blocked' in next) {
      const known = next.blocked.revision - folded.revision - 1;
      next = foldMembership(folded, events.slice(0, known));
      if ('blocked' in next) throw new Error(`${stream} blocks before its first unknown event`);
    }
    folded = next;
    if (blocked || events.length === 0) {
      const { state, revision } = folded;
      return state === undefined ? undefined : { state, revision, blocked };
    }
  }
};

/** The snapshot, if it is of this code and the log still holds the event it ends with. */
const startingPoint = async (
  log: EventLog,
  snapshots: SnapshotStore,
  stream: StreamName,
): Promise<Folded<Membership>> => {
  const snapshot = await snapshots.load(stream);
  if (snapshot?.codeVersion !== conversationCodeVersion) return beginning;
  const [last] = await log.readStream(stream, snapshot.revision, 'forwards', 1);
  if (last?.link !== snapshot.link) return beginning;
  const { kind, members, seq, namedAt } = conversationFromSnapshot(snapshot.state);
  return { state: { kind, members, seq, namedAt }, revision: snapshot.revision };
};
