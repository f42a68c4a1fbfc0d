import type { UserId } from '../schemas/ids.ts';
import type { StreamName } from '../schemas/streams.ts';
import {
  blockKey,
  erasedKey,
  hexOf,
  memberKey,
  messageDocument,
  messageKey,
  versionAt,
  type DocumentKey,
  type MessageBase,
  type SearchDocument,
  type Write,
} from './elasticsearch-search-documents.ts';
import { projectSearch, type SearchChange } from './project-search.ts';
import { placeIn, type FollowedBatch, type ParkedStream, type ProjectedEvent } from './read-model.ts';

/** A change with where its event stands. */
export interface PlacedChange {
  readonly change: SearchChange;
  readonly version: number;
  readonly place: number;
}

export interface ProjectedBatch {
  readonly changes: readonly PlacedChange[];
  readonly parked: readonly ParkedStream[];
}

/** The changes of what lies after `applied`, without those of streams that wait or that cannot be projected. */
export const projectBatch = (
  batch: FollowedBatch,
  applied: number,
  waiting: ReadonlySet<StreamName>,
): ProjectedBatch => {
  const changes: PlacedChange[] = [];
  const parked = new Map<StreamName, ParkedStream>();
  for (const recorded of batch.events) {
    const { stream, position, revision } = recorded;
    const place = placeIn(batch, recorded);
    if (place <= applied || waiting.has(stream) || parked.has(stream)) continue;
    const projected = project(recorded);
    if (projected instanceof Error) parked.set(stream, { stream, n: position.n, revision, error: String(projected) });
    else for (const change of projected) changes.push({ change, version: versionAt(revision), place });
  }
  return { changes, parked: [...parked.values()] };
};

const project = (recorded: ProjectedEvent): readonly SearchChange[] | Error => {
  try {
    return projectSearch(recorded);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
};

const keyOfMessage = ({
  conversationId,
  seq,
}: {
  readonly conversationId: string;
  readonly seq: number;
}): DocumentKey => messageKey(hexOf(conversationId), seq);

/** Messages that were edited here and sent in an earlier batch: where they stand has to be looked up. */
export const editedOfEarlier = (changes: readonly PlacedChange[]): readonly DocumentKey[] => {
  const here = new Set<string>();
  const wanted = new Map<string, DocumentKey>();
  for (const { change } of changes) {
    if (change.change === 'message-sent') here.add(keyOfMessage(change).id);
    if (change.change !== 'message-edited') continue;
    const key = keyOfMessage(change);
    if (!here.has(key.id)) wanted.set(key.id, key);
  }
  return [...wanted.values()];
};

/**
 * What is to be written, each document once. `bases` are the messages looked up; who is in `erased` writes nothing any more,
 * and whoever is erased here is put there.
 */
export const writesOf = (
  changes: readonly PlacedChange[],
  bases: ReadonlyMap<string, MessageBase>,
  erased: Set<UserId>,
): readonly Write[] => {
  const writes = new Map<string, Write>();
  const erasedHex = new Set([...erased].map(hexOf));
  const put = (key: DocumentKey, version: number, document: SearchDocument): void => {
    writes.set(key.id, { ...key, version, document });
  };
  const baseOf = ({ id }: DocumentKey): MessageBase | undefined => {
    const here = writes.get(id)?.document;
    if (here === undefined) return bases.get(id);
    return here.kind === 'message' ? here : undefined;
  };
  for (const { change, version, place } of changes) {
    switch (change.change) {
      case 'message-sent': {
        const { seq, time, content } = change;
        const [conversation, sender] = [hexOf(change.conversationId), hexOf(change.by)];
        // It was under way when its author was erased: its key is gone soon, and a rebuild will not see it.
        if (erasedHex.has(sender)) break;
        const base = { kind: 'message', conversation, seq, sender, time, place } as const;
        put(messageKey(conversation, seq), version, messageDocument(base, content));
        break;
      }
      case 'message-edited': {
        const key = keyOfMessage(change);
        const base = baseOf(key);
        if (base === undefined || erasedHex.has(base.sender)) break;
        const { kind, conversation, seq, sender, time, place: sentAt } = base;
        const stands = { kind, conversation, seq, sender, time, place: sentAt };
        put(key, version, messageDocument(stands, change.content));
        break;
      }
      case 'message-gone':
        put(keyOfMessage(change), version, { kind: 'stub' });
        break;
      case 'member-joined': {
        const [conversation, user] = [hexOf(change.conversationId), hexOf(change.userId)];
        const { visibleFrom } = change;
        put(memberKey(conversation, user), version, { kind: 'member', user, conversation, visibleFrom });
        break;
      }
      case 'member-gone':
        put(memberKey(hexOf(change.conversationId), hexOf(change.userId)), version, { kind: 'stub' });
        break;
      case 'blocked': {
        const [user, blocked] = [hexOf(change.by), hexOf(change.userId)];
        put(blockKey(user, blocked), version, { kind: 'block', user, blocked });
        break;
      }
      case 'unblocked':
        put(blockKey(hexOf(change.by), hexOf(change.userId)), version, { kind: 'stub' });
        break;
      case 'author-erased': {
        const user = hexOf(change.userId);
        erased.add(change.userId);
        erasedHex.add(user);
        put(erasedKey(user), version, { kind: 'erased', user });
        break;
      }
      default:
        change satisfies never;
    }
  }
  return [...writes.values()];
};
