import type { ConversationId, UserId } from '../schemas/ids.ts';
import type { StreamName } from '../schemas/streams.ts';
import {
  advanceMarks,
  changeConversation,
  changePreview,
  presentMembers,
  type ConversationFold,
  type Touched,
} from './cassandra-inbox-fold.ts';
import {
  loadConversations,
  loadCounts,
  loadErased,
  loadMessages,
  type Known,
  type MessageAt,
} from './cassandra-inbox-load.ts';
import { messageKey, messageRows, type MessageState } from './cassandra-inbox-message-rows.ts';
import { personRows } from './cassandra-inbox-person-rows.ts';
import { conversationWrites, type RowWrite } from './cassandra-inbox-rows.ts';
import type { InboxStore } from './cassandra-inbox-store.ts';
import { projectInbox, Unprojectable, type InboxChange } from './project-inbox.ts';
import { placeIn, type FollowedBatch, type ParkedStream, type ProjectedEvent } from './read-model.ts';

interface Projected {
  readonly event: ProjectedEvent;
  readonly place: number;
  readonly changes: readonly InboxChange[];
}

/** What a batch comes to. */
export interface PlannedBatch {
  /** To be written one part after the other: whoever finds a chat's seq finds the messages up to it. */
  readonly writes: readonly (readonly RowWrite[])[];
  readonly parked: readonly ParkedStream[];
  readonly erased: readonly UserId[];
}

/**
 * Folds a batch into what is known, reading what is not, and says what rows come of it. Rows are written once a batch and
 * source stream, as they are at its end. `waiting` are the streams that are parked already. Of a message that is not there
 * `isLost` says whether it may only be forgotten; else its stream parks.
 */
export const planBatch = async (
  store: InboxStore,
  known: Known,
  batch: FollowedBatch,
  waiting: ReadonlySet<StreamName>,
  mostCopied: number,
  isLost: (event: ProjectedEvent) => boolean,
): Promise<PlannedBatch> => {
  const parked = new Map<StreamName, ParkedStream>();
  const park = ({ stream, position, revision }: ProjectedEvent, error: unknown): void => {
    const why = error instanceof Error ? error.message : String(error);
    parked.set(stream, { stream, n: position.n, revision, error: why });
  };
  const projected: Projected[] = [];
  for (const event of batch.events) {
    if (waiting.has(event.stream) || parked.has(event.stream)) continue;
    try {
      projected.push({ event, place: placeIn(batch, event), changes: projectInbox(event) });
    } catch (error) {
      park(event, error);
    }
  }

  const messages = await load(store, known, projected);
  const rows = messageRows(messages, known.counts);
  const people = personRows();
  const touched = new Map<ConversationId, Touched>();
  const erased: UserId[] = [];
  const isErased = (user: UserId): boolean => known.erased.get(user) === true;

  const touch = (id: ConversationId, revision: number, ofReceipts: boolean): readonly [ConversationFold, Touched] => {
    const fold = known.conversations.get(id);
    if (fold === undefined) throw new Error('a conversation was not loaded');
    let now = touched.get(id);
    if (now === undefined) {
      now = {
        wasCopied: presentMembers(fold).length <= mostCopied,
        again: false,
        conversation: false,
        receipts: false,
        memberships: new Set(),
        senders: new Set(),
        marked: new Set(),
      };
      touched.set(id, now);
    }
    // Only the first event of each stream says so, for with it the fold goes back.
    if (ofReceipts) now.again ||= !now.receipts && revision <= fold.marksRevision;
    else now.again ||= !now.conversation && revision <= fold.revision;
    return [fold, now];
  };

  const change = (one: InboxChange, place: number, revision: number): void => {
    switch (one.type) {
      case 'command-stored':
        rows.command(one);
        return;
      case 'marks-advanced': {
        const [fold, now] = touch(one.conversation, revision, true);
        advanceMarks(fold, now, one, place, revision);
        return;
      }
      case 'message-sent': {
        const [fold, now] = touch(one.conversation, revision, false);
        const shown = isErased(one.by) ? { ...one, content: null } : one;
        changeConversation(fold, now, shown, place);
        rows.sent(shown, place);
        return;
      }
      case 'message-edited':
      case 'message-deleted': {
        const [fold, now] = touch(one.conversation, revision, false);
        changeConversation(fold, now, one, place);
        const { sender } = messages.get(messageKey(one.conversation, one.seq)) ?? {};
        const isGone = sender !== undefined && isErased(sender) && one.type === 'message-edited';
        const shown = isGone ? { ...one, content: null } : one;
        if (rows.changed(shown, place, revision)) changePreview(fold, shown);
        return;
      }
      case 'conversation-advanced':
      case 'conversation-started':
      case 'conversation-named':
      case 'member-joined':
      case 'member-ended':
      case 'role-changed': {
        const [fold, now] = touch(one.conversation, revision, false);
        changeConversation(fold, now, one, place);
        return;
      }
      case 'user-registered':
      case 'user-erased':
      case 'profile-changed':
      case 'user-blocked':
      case 'user-unblocked':
      case 'chat-settings-changed':
      case 'came-online':
      case 'went-offline':
      case 'status-announced':
        people.write(one, place, revision, isErased(one.user));
        if (one.type === 'user-erased') {
          known.erased.set(one.user, true);
          erased.push(one.user);
        }
        return;
      default:
        one satisfies never;
    }
  };

  for (const { event, place, changes } of projected) {
    if (parked.has(event.stream) && event.position.n >= (parked.get(event.stream)?.n ?? Infinity)) continue;
    const missing = changes.find((one) => isChange(one) && !messages.has(messageKey(one.conversation, one.seq)));
    if (missing !== undefined) {
      if (isLost(event)) throw new Error('a message to change is not there: rows may have been lost');
      park(event, new Unprojectable('there is no such message to change'));
      continue;
    }
    for (const one of changes) change(one, place, event.revision);
  }

  const folded: RowWrite[] = [];
  for (const [id, now] of touched) {
    const fold = known.conversations.get(id);
    if (fold === undefined) continue;
    // It was there before its author was erased, and is copied anew.
    if (fold.last !== undefined && isErased(fold.last.by)) fold.last = { ...fold.last, content: null, cut: false };
    folded.push(...conversationWrites(fold, now, mostCopied));
  }
  return { writes: [[...rows.writes(), ...people.writes()], folded], parked: [...parked.values()], erased };
};

const isChange = (one: InboxChange) => one.type === 'message-edited' || one.type === 'message-deleted';

/** Reads what the batch changes and is not known. */
const load = async (
  store: InboxStore,
  known: Known,
  projected: readonly Projected[],
): Promise<Map<string, MessageState>> => {
  const conversations = new Set<ConversationId>();
  const toChange = new Map<string, MessageAt>();
  const sent = new Map<string, MessageAt & { readonly sender: UserId }>();
  const people = new Set<UserId>();
  for (const { changes } of projected) {
    for (const one of changes) {
      if (one.type === 'message-sent') {
        sent.set(messageKey(one.conversation, one.seq), { ...one, sender: one.by });
        people.add(one.by);
      }
      if (isChange(one)) toChange.set(messageKey(one.conversation, one.seq), one);
      if (one.type === 'profile-changed' || one.type === 'status-announced') people.add(one.user);
      if (isOfConversation(one)) conversations.add(one.conversation);
    }
  }
  const earlier = [...toChange].filter(([key]) => !sent.has(key)).map(([, at]) => at);
  const [messages] = await Promise.all([loadMessages(store, earlier), loadConversations(store, known, conversations)]);
  const deleted = earlier.flatMap((at) => {
    const found = messages.get(messageKey(at.conversation, at.seq));
    return found === undefined ? [] : [{ ...at, sender: found.sender }];
  });
  for (const { sender } of deleted) people.add(sender);
  for (const id of conversations) {
    const last = known.conversations.get(id)?.last;
    if (last !== undefined) people.add(last.by);
  }
  await Promise.all([loadCounts(store, known, [...sent.values(), ...deleted]), loadErased(store, known, people)]);
  return messages;
};

const isOfConversation = (one: InboxChange): one is Extract<InboxChange, { conversation: ConversationId }> =>
  'conversation' in one && one.type !== 'chat-settings-changed' && one.type !== 'command-stored';
