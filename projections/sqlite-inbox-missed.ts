import type { DatabaseSync } from 'node:sqlite';
import { commandId, conversationId, userId, type UserId } from '../schemas/ids.ts';
import type { Missed, MissedItem } from './inbox.ts';
import { contentIn, fromMessage, inboxAccess, messageColumns, timeIn } from './sqlite-inbox-access.ts';
import {
  idIn,
  kinds,
  messageState,
  numberIn,
  numberOrNull,
  roles,
  textOrNull,
  uuidIn,
  type Row,
} from './sqlite-inbox-file.ts';
import { pageText } from './sqlite-inbox-history.ts';
import { seqUpTo } from './sqlite-inbox-places.ts';

/** What an item takes of the room of a page beside its text: about as much as its frame. */
const itemSize = 200;
const memberSize = 50;

/** `MissedItem` without where it stands. */
type Item = MissedItem extends infer One ? (One extends MissedItem ? Omit<One, 'place'> : never) : never;

/** An item not read yet. Every event gives a user at most one, so no two have the same place. */
interface Entry {
  readonly place: number;
  readonly read: () => { readonly item: Item; readonly size: number };
}

/** A conversation in which something happened after the place. */
interface Candidate {
  readonly row: Row;
  /** The seqs of the messages sent since: after the first, up to the last. */
  readonly known: number;
  readonly seq: number;
}

/** How many of each count fit into `total` together if none gets more. */
export const fairShare = (counts: readonly number[], total: number): number => {
  let left = total;
  const rising = counts.toSorted((a, b) => a - b);
  for (const [index, count] of rising.entries()) {
    const share = Math.max(Math.floor(left / (rising.length - index)), 1);
    if (count > share) return share;
    left -= count;
  }
  return Infinity;
};

export const missedQueries = (db: DatabaseSync) => {
  const { asker } = inboxAccess(db);
  const lastSeqAt = seqUpTo(db);
  const position = db.prepare('SELECT place FROM position');
  const parkedConversation = db.prepare("SELECT 1 FROM parked WHERE stream LIKE 'conversation-%' LIMIT 1");
  const changedChats = db.prepare(`SELECT conversation.no, conversation.id, kind, name, seq, revision, members,
      described_place, changed_place, marks_place, active_place, role, visible_from, joined_place, member.place AS member_place, at, version,
      by.id AS by
    FROM member JOIN conversation ON conversation.no = member.conversation JOIN user AS by ON by.no = member.by
    WHERE member.user = ?1
      AND iif(role IS NULL, member.place, max(conversation.place, conversation.marks_place)) > ?2`);
  const sentPlaces = db.prepare(`SELECT place FROM message INDEXED BY message_by_seq
    WHERE conversation = ? AND seq BETWEEN ? AND ? ORDER BY seq`);
  const changes = db.prepare(`SELECT message, change.place FROM change CROSS JOIN message ON message.place = message
    WHERE change.conversation = ? AND change.place > ? AND seq > ? ORDER BY change.place LIMIT ?`);
  const messageAt = db.prepare(`SELECT ${messageColumns} ${fromMessage} WHERE message.place = ?`);
  const membersOf = db.prepare(`SELECT id, role FROM member JOIN user ON user.no = member.user
    WHERE conversation = ? AND role IS NOT NULL ORDER BY since, rank`);
  const marksOf = db.prepare(`SELECT id, delivered, read, delivered_at, read_at FROM mark
    JOIN member ON member.conversation = mark.conversation AND member.user = mark.user AND role IS NOT NULL
    JOIN user ON user.no = mark.user WHERE mark.conversation = ? AND delivered > 0 ORDER BY id`);

  const conversationIn = (row: Row): Item => ({
    type: 'conversation',
    ...idOf(row),
    kind: kinds[numberIn(row, 'kind')] ?? 'group',
    name: textOrNull(row, 'name'),
    members: membersOf.all(numberIn(row, 'no')).map((member) => ({
      userId: userId.parse(idIn(member, 'id')),
      role: roles[numberIn(member, 'role')] ?? 'member',
    })),
    seq: numberIn(row, 'seq'),
    visibleFrom: numberIn(row, 'visible_from'),
    by: userId.parse(idIn(row, 'by')),
    time: numberIn(row, 'at'),
    version: numberIn(row, 'revision') + 1 - numberIn(row, 'seq'),
  });
  const endedIn = (row: Row): Item => ({
    type: 'ended',
    ...idOf(row),
    by: userId.parse(idIn(row, 'by')),
    time: numberIn(row, 'at'),
    version: numberIn(row, 'version'),
  });
  const marksIn = (row: Row): Item => {
    const rows = marksOf.all(numberIn(row, 'no'));
    const times = rows.flatMap((mark) => [numberOrNull(mark, 'delivered_at') ?? 0, numberOrNull(mark, 'read_at') ?? 0]);
    return {
      type: 'marks',
      ...idOf(row),
      marks: rows.map((mark) => ({
        userId: userId.parse(idIn(mark, 'id')),
        delivered: numberIn(mark, 'delivered'),
        read: numberIn(mark, 'read'),
      })),
      visibleFrom: numberIn(row, 'visible_from'),
      memberCount: numberIn(row, 'members'),
      time: Math.max(0, ...times),
    };
  };
  const messageIn = (type: 'sent' | 'changed', chat: Row, place: number): ReturnType<Entry['read']> => {
    const row = messageAt.get(place);
    if (row === undefined) throw new Error('a message that was found is gone');
    const content = contentIn(row);
    const item: Item = {
      type,
      ...idOf(chat),
      seq: numberIn(row, 'seq'),
      messageId: commandId.parse(uuidIn(row, 'id')),
      by: userId.parse(idIn(row, 'by')),
      time: timeIn(row),
      content,
      replyTo: numberOrNull(row, 'reply_to'),
      deleted: row['state'] === messageState.deleted,
      version: numberIn(row, 'version'),
      changedAt: numberOrNull(row, 'changed_at'),
    };
    return { item, size: itemSize + (content?.type === 'text' ? content.text.length : 0) };
  };

  const candidatesOf = (user: number, after: number): readonly Candidate[] =>
    changedChats.all(user, after).map((row) => {
      const seq = numberIn(row, 'seq');
      if (numberOrNull(row, 'role') === null) return { row, known: seq, seq };
      const visibleFrom = numberIn(row, 'visible_from');
      const joined = numberIn(row, 'joined_place') > after;
      return { row, known: joined ? visibleFrom : lastSeqAt(numberIn(row, 'no'), visibleFrom, seq, after), seq };
    });

  /** What happened in a chat after a place, beside its messages. */
  const aroundMessages = (row: Row, after: number): readonly Entry[] => {
    const [memberPlace, marksPlace] = [numberIn(row, 'member_place'), numberIn(row, 'marks_place')];
    if (numberOrNull(row, 'role') === null)
      return [{ place: memberPlace, read: () => ({ item: endedIn(row), size: itemSize }) }];
    const size = itemSize + memberSize * numberIn(row, 'members');
    const [joined, described] = [numberIn(row, 'joined_place'), numberIn(row, 'described_place')];
    const begun = joined > after ? joined : described;
    return [
      ...(begun > after ? [{ place: begun, read: () => ({ item: conversationIn(row), size }) }] : []),
      ...(marksPlace > after ? [{ place: marksPlace, read: () => ({ item: marksIn(row), size }) }] : []),
    ];
  };

  /** The places of the next messages of a chat, at most `most`. */
  const nextSent = ({ row, known, seq }: Candidate, most: number): readonly number[] => {
    if (seq === known) return [];
    // Of the last message the chat itself knows it, and mostly that is the only one.
    if (seq === known + 1) return [numberIn(row, 'active_place')];
    const found = sentPlaces.all(numberIn(row, 'no'), known + 1, Math.min(seq, known + most));
    return found.map((message) => numberIn(message, 'place'));
  };
  /** The next messages and changes of a chat, at most `most` of each, and up to which place these are all. */
  const messagesOf = (candidate: Candidate, after: number, most: number): readonly [Entry[], number] => {
    const { row, known, seq } = candidate;
    const sent = nextSent(candidate, most);
    const changed =
      numberIn(row, 'changed_place') > after
        ? changes.all(numberIn(row, 'no'), after, numberIn(row, 'visible_from'), most)
        : [];
    const entries = [
      ...sent.map((place): Entry => ({ place, read: () => messageIn('sent', row, place) })),
      ...changed.map((found): Entry => ({
        place: numberIn(found, 'place'),
        read: () => messageIn('changed', row, numberIn(found, 'message')),
      })),
    ];
    const sentUpTo = seq - known > most ? (sent.at(-1) ?? 0) : Infinity;
    const changedUpTo = changed.length === most ? numberIn(changed.at(-1) ?? {}, 'place') : Infinity;
    return [entries, Math.min(sentUpTo, changedUpTo)];
  };

  return {
    missedAfter(user: UserId, after: number, limit: number): Missed | undefined {
      if (parkedConversation.get() !== undefined) return undefined;
      const reached = position.get();
      const applied = reached === undefined ? 0 : numberIn(reached, 'place');
      const by = asker(user);
      if (by === undefined || applied <= after) return { items: [], through: Math.max(after, applied), isLast: true };

      const candidates = candidatesOf(by.no, after);
      const most = Math.min(
        fairShare(
          candidates.map(({ known, seq }) => seq - known),
          limit,
        ),
        limit,
      );
      const entries: Entry[] = [];
      let upTo = Infinity;
      for (const candidate of candidates) {
        entries.push(...aroundMessages(candidate.row, after));
        if (numberOrNull(candidate.row, 'role') === null) continue;
        const [found, foundUpTo] = messagesOf(candidate, after, most);
        entries.push(...found);
        upTo = Math.min(upTo, foundUpTo);
      }
      const due = entries.filter(({ place }) => place <= upTo).toSorted((a, b) => a.place - b.place);
      const items: MissedItem[] = [];
      let room = pageText;
      let through = after;
      for (const { place, read } of due) {
        if (items.length === limit) return { items, through, isLast: false };
        const { item, size } = read();
        room -= size;
        if (room < 0 && items.length > 0) return { items, through, isLast: false };
        items.push({ ...item, place });
        through = place;
      }
      return upTo === Infinity ? { items, through: applied, isLast: true } : { items, through: upTo, isLast: false };
    },
  };
};

const idOf = (row: Row) => ({ conversationId: conversationId.parse(idIn(row, 'id')) });
