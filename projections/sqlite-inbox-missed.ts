import type { DatabaseSync } from 'node:sqlite';
import type { UserId } from '../schemas/ids.ts';
import type { Missed, MissedItem } from './inbox.ts';
import {
  insert,
  itemSize,
  nextLookUp,
  pageRoom,
  sizeOfConversation,
  sizeOfMessage,
  type Item,
  type SizedItem,
} from './inbox-missed-page.ts';
import { changesAfterPlace, contentIn, inboxAccess, messageAtPlace, timeIn } from './sqlite-inbox-access.ts';
import { kinds, roles } from './inbox-codes.ts';
import {
  commandIdIn,
  conversationIdIn,
  messageState,
  numberIn,
  numberOrNull,
  textOrNull,
  userIdIn,
  type Row,
} from './sqlite-inbox-file.ts';
import { seqUpTo } from './sqlite-inbox-places.ts';

/** The next item of one chat. Every event gives a user at most one, so no two have the same place. */
interface Source {
  readonly place: number;
  readonly read: () => SizedItem;
  /** What lies behind it, looked up only when it was taken. */
  readonly rest: () => readonly Source[];
}

const none = (): readonly Source[] => [];

/** Places are looked up few at first, for of most chats a page takes few. */
const firstLookUp = 2;

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
  const changes = db.prepare(changesAfterPlace);
  const messageAt = db.prepare(messageAtPlace);
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
      userId: userIdIn(member, 'id'),
      role: roles[numberIn(member, 'role')] ?? 'member',
    })),
    seq: numberIn(row, 'seq'),
    visibleFrom: numberIn(row, 'visible_from'),
    by: userIdIn(row, 'by'),
    time: numberIn(row, 'at'),
    version: numberIn(row, 'revision') + 1 - numberIn(row, 'seq'),
  });
  const endedIn = (row: Row): Item => ({
    type: 'ended',
    ...idOf(row),
    by: userIdIn(row, 'by'),
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
        userId: userIdIn(mark, 'id'),
        delivered: numberIn(mark, 'delivered'),
        read: numberIn(mark, 'read'),
      })),
      visibleFrom: numberIn(row, 'visible_from'),
      memberCount: numberIn(row, 'members'),
      time: Math.max(0, ...times),
    };
  };
  const messageIn = (type: 'sent' | 'changed', chat: Row, place: number): ReturnType<Source['read']> => {
    const row = messageAt.get(place);
    if (row === undefined) throw new Error('a message that was found is gone');
    const content = contentIn(row);
    const item: Item = {
      type,
      ...idOf(chat),
      seq: numberIn(row, 'seq'),
      messageId: commandIdIn(row, 'id'),
      by: userIdIn(row, 'by'),
      time: timeIn(row),
      content,
      replyTo: numberOrNull(row, 'reply_to'),
      deleted: row['state'] === messageState.deleted,
      version: numberIn(row, 'version'),
      changedAt: numberOrNull(row, 'changed_at'),
    };
    return { item, size: sizeOfMessage({ content }) };
  };

  /** The messages of a chat after a seq. */
  const sentAfter = (chat: Row, known: number, lookUp = firstLookUp): readonly Source[] => {
    const seq = numberIn(chat, 'seq');
    if (seq === known) return [];
    // Of the last message the chat itself knows the place.
    const places =
      seq === known + 1
        ? [numberIn(chat, 'active_place')]
        : sentPlaces
            .all(numberIn(chat, 'no'), known + 1, Math.min(seq, known + lookUp))
            .map((row) => numberIn(row, 'place'));
    const at = (index: number): readonly Source[] => {
      const place = places[index];
      if (place === undefined) return sentAfter(chat, known + index, nextLookUp(lookUp));
      return [{ place, read: () => messageIn('sent', chat, place), rest: () => at(index + 1) }];
    };
    return at(0);
  };

  /** The last changes of its messages after a place. */
  const changesAfter = (chat: Row, after: number, lookUp = firstLookUp): readonly Source[] => {
    if (numberIn(chat, 'changed_place') <= after) return [];
    const found = changes.all(numberIn(chat, 'no'), after, numberIn(chat, 'visible_from'), lookUp);
    const at = (index: number): readonly Source[] => {
      const row = found[index];
      if (row === undefined) {
        const last = found.at(-1);
        if (last === undefined || found.length < lookUp) return [];
        return changesAfter(chat, numberIn(last, 'place'), nextLookUp(lookUp));
      }
      const message = numberIn(row, 'message');
      return [
        {
          place: numberIn(row, 'place'),
          read: () => messageIn('changed', chat, message),
          rest: () => at(index + 1),
        },
      ];
    };
    return at(0);
  };

  const sourcesOf = (chat: Row, after: number): readonly Source[] => {
    if (numberOrNull(chat, 'role') === null) {
      const read = () => ({ item: endedIn(chat), size: itemSize });
      return [{ place: numberIn(chat, 'member_place'), read, rest: none }];
    }
    const size = sizeOfConversation(numberIn(chat, 'members'));
    const conversation = (place: number, rest: Source['rest']): Source => ({
      place,
      read: () => ({ item: conversationIn(chat), size }),
      rest,
    });
    const marksAfter = (place: number): readonly Source[] => {
      const at = numberIn(chat, 'marks_place');
      return at > place ? [{ place: at, read: () => ({ item: marksIn(chat), size }), rest: none }] : [];
    };
    const [joined, described] = [numberIn(chat, 'joined_place'), numberIn(chat, 'described_place')];
    const visibleFrom = numberIn(chat, 'visible_from');
    // Whatever a new member sees of a chat comes after the joining.
    if (joined > after) {
      const rest = () => [...sentAfter(chat, visibleFrom), ...changesAfter(chat, joined), ...marksAfter(joined)];
      return [conversation(joined, rest)];
    }
    const known = lastSeqAt(numberIn(chat, 'no'), visibleFrom, numberIn(chat, 'seq'), after);
    return [
      ...(described > after ? [conversation(described, none)] : []),
      ...sentAfter(chat, known),
      ...changesAfter(chat, after),
      ...marksAfter(after),
    ];
  };

  return {
    missedAfter(user: UserId, after: number, limit: number): Missed | undefined {
      if (parkedConversation.get() !== undefined) return undefined;
      const reached = position.get();
      const applied = reached === undefined ? 0 : numberIn(reached, 'place');
      const by = asker(user);
      if (by === undefined || applied <= after) return { items: [], through: Math.max(after, applied), isLast: true };

      const queue = changedChats
        .all(by.no, after)
        .flatMap((chat) => sourcesOf(chat, after))
        .toSorted((a, b) => b.place - a.place);
      const items: MissedItem[] = [];
      let room = pageRoom;
      let through = after;
      for (let source = queue.pop(); source !== undefined; source = queue.pop()) {
        if (items.length === limit) return { items, through, isLast: false };
        const { place, read, rest } = source;
        const { item, size } = read();
        room -= size;
        if (room < 0 && items.length > 0) return { items, through, isLast: false };
        items.push({ ...item, place });
        through = place;
        for (const next of rest()) insert(queue, next);
      }
      return { items, through: applied, isLast: true };
    },
  };
};

const idOf = (row: Row) => ({ conversationId: conversationIdIn(row, 'id') });
