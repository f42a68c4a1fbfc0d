import type { DatabaseSync } from 'node:sqlite';
import type { ConversationId, UserId } from '../schemas/ids.ts';
import { conversationStream } from '../schemas/streams.ts';
import type { ChangeAt, ChangedMessages, Changes, Message } from './inbox.ts';
import { changesPage, mostPeopleLookedAt, nobody, type ChangedPeople } from './inbox-changes-page.ts';
import { lengthOf, pageText } from './inbox-history-page.ts';
import { changesAfterPlace, inboxAccess, messageAtPlace, messageIn, type Asker } from './sqlite-inbox-access.ts';
import type { chatQueries } from './sqlite-inbox-chats.ts';
import { numberIn, userIdIn, type Row } from './sqlite-inbox-file.ts';
import { profileIn } from './sqlite-inbox-history.ts';
import { seqUpTo } from './sqlite-inbox-places.ts';

type Change = { readonly place: number; readonly message: Message };

export const changeQueries = (
  db: DatabaseSync,
  { changedAfter }: Pick<ReturnType<typeof chatQueries>, 'changedAfter'>,
) => {
  const { asker, access, isParked } = inboxAccess(db);
  const lastSeqAt = seqUpTo(db);
  const changedPeople = db.prepare(`SELECT no, id, display_name, status_text, erased, place FROM user
    WHERE place > ?1 AND place > 0 ORDER BY place LIMIT ${mostPeopleLookedAt + 1}`);
  const sharesChat = db.prepare(`SELECT 1 FROM member theirs CROSS JOIN member mine
    ON mine.conversation = theirs.conversation AND mine.user = ?1 AND mine.role IS NOT NULL
    WHERE theirs.user = ?2 LIMIT 1`);
  const blocksPlace = db.prepare('SELECT blocks_place FROM user WHERE no = ?');
  const sentAfter = db.prepare(`SELECT message.place AS message, message.place FROM message INDEXED BY message_by_seq
    LEFT JOIN change ON change.message = message.place
    WHERE message.conversation = ? AND message.seq > ? AND change.message IS NULL ORDER BY message.seq LIMIT ?`);
  const changedLater = db.prepare(changesAfterPlace);
  const messageAt = db.prepare(messageAtPlace);

  /** Profiles of people with whom the user has a chat, and up to where they were looked through. */
  const profilesAfter = ({ no }: Asker, place: number): ChangedPeople => {
    if (place === 0) return nobody;
    const rows = changedPeople.all(place);
    const through = rows.length > mostPeopleLookedAt ? numberIn(rows[mostPeopleLookedAt - 1] ?? {}, 'place') : Infinity;
    const known = rows
      .slice(0, mostPeopleLookedAt)
      .filter((row) => sharesChat.get(no, numberIn(row, 'no')) !== undefined);
    const change = (row: Row): ChangeAt => ({
      type: 'profile',
      place: numberIn(row, 'place'),
      profile: profileIn(row, userIdIn(row, 'id')),
    });
    return { changes: known.map(change), through };
  };
  const blocksAfter = ({ no }: Asker, place: number): ChangeAt[] => {
    const at = numberIn(blocksPlace.get(no) ?? {}, 'blocks_place');
    return place > 0 && at > place ? [{ type: 'blocks', place: at }] : [];
  };

  const changesOfAll = (user: UserId, place: number, limit: number, peopleAfter: typeof profilesAfter): Changes => {
    const by = asker(user);
    if (by === undefined) return { changes: [], through: place, isLast: true };
    const others = [...changedAfter(by, place, limit), ...blocksAfter(by, place)];
    return changesPage(others, peopleAfter(by, place), place, limit);
  };

  return {
    changesAfter: (user: UserId, place: number, limit: number): Changes =>
      changesOfAll(user, place, limit, profilesAfter),
    chatsAfter: (user: UserId, place: number, limit: number): Changes => changesOfAll(user, place, limit, () => nobody),
    changesOf(user: UserId, conversation: ConversationId, place: number, limit: number): ChangedMessages | undefined {
      const by = asker(user);
      const may = by && access(by, conversation);
      if (by === undefined || may === undefined) return undefined;
      const { conversation: no, visibleFrom, seq } = may;
      const known = lastSeqAt(no, visibleFrom, seq, place);
      const found = [
        ...sentAfter.all(no, known, limit + 1),
        ...changedLater.all(no, place, visibleFrom, limit + 1),
      ].toSorted((a, b) => numberIn(a, 'place') - numberIn(b, 'place'));
      const messages: Change[] = [];
      let room = pageText;
      let isLast = true;
      for (const { message: sentAt = null } of found) {
        const row = messageAt.get(sentAt);
        if (row === undefined) continue;
        const message = messageIn(row, by);
        room -= lengthOf(message);
        if (messages.length === limit || (room < 0 && messages.length > 0)) {
          isLast = false;
          break;
        }
        messages.push({ place: numberIn(row, 'place'), message });
      }
      const incomplete = by.incomplete || isParked(conversationStream(conversation));
      return { messages, isLast, incomplete };
    },
  };
};
