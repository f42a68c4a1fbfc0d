import type { ConversationId, Seq, UserId } from '../schemas/ids.ts';
import { emptyConversation, newMember, type ConversationFold, type MemberState } from './cassandra-inbox-fold.ts';
import { countKey, messageKey, type Count, type MessageState } from './cassandra-inbox-message-rows.ts';
import { inParallel, type InboxStore } from './cassandra-inbox-store.ts';
import { bucketOf, idBytes } from './inbox-codes.ts';
import { isTrue, numberIn, numberOr, previewIn, textOrNull, userIdIn, type Row } from './cassandra-inbox-values.ts';

/** What the writer remembers of what it wrote or read; forgotten whenever a write may have been lost. */
export interface Known {
  readonly conversations: Map<ConversationId, ConversationFold>;
  readonly counts: Map<string, Count>;
  readonly erased: Map<UserId, boolean>;
}

export const nothingKnown = (): Known => ({ conversations: new Map(), counts: new Map(), erased: new Map() });

const mostMembers = 200_000;
const mostOthers = 200_000;

/** Between two batches: what is used most comes back soon. */
export const keepSmall = ({ conversations, counts, erased }: Known): void => {
  let members = 0;
  for (const fold of conversations.values()) members += 1 + fold.members.size;
  if (members > mostMembers) conversations.clear();
  if (counts.size > mostOthers) counts.clear();
  if (erased.size > mostOthers) erased.clear();
};

const readsAtOnce = 64;

export interface MessageAt {
  readonly conversation: ConversationId;
  readonly seq: Seq;
}

export const loadConversations = (
  store: InboxStore,
  { conversations }: Known,
  wanted: Iterable<ConversationId>,
): Promise<void> =>
  inParallel(
    [...wanted].filter((id) => !conversations.has(id)),
    readsAtOnce,
    async (id) => {
      const key = [idBytes(id)];
      const [rows, members] = await Promise.all([
        store.rows('conversation', '*', 'conversation = ?', key),
        store.rows('member', '*', 'conversation = ?', key),
      ]);
      conversations.set(id, conversationIn(id, rows[0], members));
    },
  );

const conversationIn = (id: ConversationId, row: Row | undefined, members: readonly Row[]): ConversationFold => {
  const fold = emptyConversation(id);
  for (const member of members) fold.members.set(userIdIn(member, 'user'), memberIn(member));
  if (row === undefined) return fold;
  fold.kind = numberOr(row, 'kind', 0);
  fold.name = textOrNull(row, 'name');
  fold.seq = numberOr(row, 'seq', 0);
  fold.revision = numberOr(row, 'revision', -1);
  fold.place = numberOr(row, 'place', 0);
  fold.describedPlace = numberOr(row, 'described_place', 0);
  fold.changedPlace = numberOr(row, 'changed_place', 0);
  fold.activePlace = numberOr(row, 'active_place', 0);
  fold.activeAt = numberOr(row, 'active_at', 0);
  fold.last = previewIn(row);
  fold.marksPlace = numberOr(row, 'marks_place', 0);
  fold.marksRevision = numberOr(row, 'marks_revision', -1);
  return fold;
};

export const memberIn = (row: Row): MemberState => {
  const member = newMember();
  member.role = numberOr(row, 'role', undefined);
  if (member.role !== undefined) {
    member.since = numberIn(row, 'since');
    member.rank = numberIn(row, 'rank');
    member.visibleFrom = numberIn(row, 'visible_from');
    member.joinedPlace = numberIn(row, 'joined_place');
    member.place = numberIn(row, 'member_place');
    member.begunBy = userIdIn(row, 'begun_by');
    member.begunAt = numberIn(row, 'begun_at');
    member.version = numberIn(row, 'member_version');
  }
  member.own = numberOr(row, 'own', 0);
  member.ownAt = numberOr(row, 'own_at', 0);
  member.delivered = numberOr(row, 'delivered', 0);
  member.deliveredAt = numberOr(row, 'delivered_at', 0);
  member.read = numberOr(row, 'read', 0);
  member.readAt = numberOr(row, 'read_at', 0);
  return member;
};

/** Those that are there; one that is not is missing in the answer. */
export const loadMessages = async (
  store: InboxStore,
  wanted: readonly MessageAt[],
): Promise<Map<string, MessageState>> => {
  const found = new Map<string, MessageState>();
  await inParallel(wanted, readsAtOnce, async ({ conversation, seq }) => {
    const [row] = await store.rows(
      'message',
      'sender, state, content, content_revision',
      'conversation = ? AND bucket = ? AND seq = ?',
      [idBytes(conversation), BigInt(bucketOf(seq)), BigInt(seq)],
    );
    if (row === undefined || row['sender'] === null) return;
    found.set(messageKey(conversation, seq), {
      sender: userIdIn(row, 'sender'),
      stored: { state: numberIn(row, 'state'), content: textOrNull(row, 'content') ?? '' },
      contentRevision: numberIn(row, 'content_revision'),
    });
  });
  return found;
};

export const loadCounts = (
  store: InboxStore,
  { counts }: Known,
  wanted: readonly (MessageAt & { readonly sender: UserId })[],
): Promise<void> => {
  const missing = new Map<string, (typeof wanted)[number]>();
  for (const one of wanted) {
    const key = countKey(one.conversation, one.seq, one.sender);
    if (!counts.has(key)) missing.set(key, one);
  }
  return inParallel([...missing], readsAtOnce, async ([key, { conversation, seq, sender }]) => {
    const [row] = await store.rows('sent', 'messages, revision', 'conversation = ? AND bucket = ? AND sender = ?', [
      idBytes(conversation),
      BigInt(bucketOf(seq)),
      idBytes(sender),
    ]);
    counts.set(
      key,
      row === undefined
        ? { messages: 0, revision: -1 }
        : { messages: numberIn(row, 'messages'), revision: numberIn(row, 'revision') },
    );
  });
};

export const loadErased = (store: InboxStore, { erased }: Known, wanted: Iterable<UserId>): Promise<void> =>
  inParallel(
    [...wanted].filter((user) => !erased.has(user)),
    readsAtOnce,
    async (user) => {
      const [row] = await store.rows('person', 'erased', 'user = ?', [idBytes(user)]);
      erased.set(user, row !== undefined && isTrue(row, 'erased'));
    },
  );
