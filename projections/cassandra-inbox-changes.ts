import type { ConversationId, UserId } from '../schemas/ids.ts';
import { conversationStream } from '../schemas/streams.ts';
import { clampLimit, type ChangeAt, type ChangedMessages, type Changes, type Message } from './inbox.ts';
import { changesPage, mostPeopleLookedAt, nobody, type ChangedPeople } from './inbox-changes-page.ts';
import { lengthOf, pageText } from './inbox-history-page.ts';
import { chatPlace, chatsIn, isPresentIn } from './cassandra-inbox-chats.ts';
import { profileIn } from './cassandra-inbox-history.ts';
import { changesBetween, seqUpTo } from './cassandra-inbox-places.ts';
import {
  askerOf,
  chatRow,
  chatRows,
  erasedAmong,
  inOrder,
  messageIn,
  messageRowAt,
  messageRowsIn,
  withText,
  type Asker,
  type ChatRow,
  type InboxReads,
} from './cassandra-inbox-read.ts';
import { idBytes } from './inbox-codes.ts';
import { numberIn, numberOr, personChunkOf, userIdIn, type Row } from './cassandra-inbox-values.ts';

const changePlace = (row: ChatRow): number => (isPresentIn(row) ? chatPlace(row) : row.memberPlace);

export const changeQueries = (reads: InboxReads) => {
  const { store } = reads;

  /** Of a batch that is being written some rows are later than the position: they come again with those that are not there. */
  const at = (place: number, { applied }: Asker): number => Math.min(place, applied);

  const chatsAfter = async (rows: readonly ChatRow[], asker: Asker, place: number, limit: number) => {
    const changed = rows
      .filter((row) => changePlace(row) > place)
      .toSorted((one, other) => changePlace(one) - changePlace(other))
      .slice(0, limit + 1);
    const chats = await chatsIn(store, changed.filter(isPresentIn), asker);
    const ofConversation = new Map(chats.map((chat) => [chat.conversationId, chat]));
    return changed.map((row): ChangeAt => {
      const chat = ofConversation.get(row.conversation);
      return chat === undefined
        ? { type: 'ended', place: at(row.memberPlace, asker), conversationId: row.conversation }
        : { type: 'chat', place: at(chat.place, asker), chat };
    });
  };

  /** Profiles of people with whom the user has a chat. */
  const profilesAfter = async (rows: readonly ChatRow[], asker: Asker, place: number): Promise<ChangedPeople> => {
    const mine = new Set(rows.filter(isPresentIn).map((row) => row.conversation));
    if (place === 0 || mine.size === 0) return nobody;
    const changed: Row[] = [];
    for (let chunk = personChunkOf(place); chunk <= personChunkOf(asker.applied); chunk++) {
      const left = mostPeopleLookedAt + 1 - changed.length;
      if (left <= 0) break;
      changed.push(
        ...(await store.rows('person_change', 'place, user', 'chunk = ? AND place > ? AND place <= ? LIMIT ?', [
          BigInt(chunk),
          BigInt(place),
          BigInt(asker.applied),
          left,
        ])),
      );
    }
    const through =
      changed.length > mostPeopleLookedAt ? numberIn(changed[mostPeopleLookedAt - 1] ?? {}, 'place') : Infinity;
    const known = await inOrder(changed.slice(0, mostPeopleLookedAt), async (row): Promise<readonly ChangeAt[]> => {
      const [user, changedAt] = [userIdIn(row, 'user'), numberIn(row, 'place')];
      const [person] = await store.rows('person', '*', 'user = ?', [idBytes(user)]);
      const latest = person === undefined ? 0 : numberOr(person, 'profile_place', 0);
      // A later change comes where it stands.
      if (person === undefined || (latest !== changedAt && latest <= asker.applied)) return [];
      if (!(await sharesChat(mine, user))) return [];
      return [{ type: 'profile', place: changedAt, profile: profileIn(person, user) }];
    });
    return { changes: known.flat(), through };
  };
  const sharesChat = async (mine: ReadonlySet<ConversationId>, user: UserId): Promise<boolean> =>
    (await chatRows(store, user)).some(({ conversation }) => mine.has(conversation));

  const blocksAfter = async (user: UserId, asker: Asker, place: number): Promise<readonly ChangeAt[]> => {
    if (place === 0) return [];
    const [person] = await store.rows('person', 'blocks_place', 'user = ?', [idBytes(user)]);
    const changedAt = person === undefined ? 0 : numberOr(person, 'blocks_place', 0);
    return changedAt > place ? [{ type: 'blocks', place: at(changedAt, asker) }] : [];
  };

  const changesOfAll = async (
    user: UserId,
    place: number,
    limit: number,
    peopleAfter: typeof profilesAfter,
  ): Promise<Changes> => {
    // The position before the rows, which are never older.
    const asker = await askerOf(reads, user);
    const rows = await chatRows(store, user);
    const [chats, people, blocks] = await Promise.all([
      chatsAfter(rows, asker, place, limit),
      peopleAfter(rows, asker, place),
      blocksAfter(user, asker, place),
    ]);
    return changesPage([...chats, ...blocks], people, place, limit);
  };

  /** Messages after a seq that were not changed since, as many as a page can take and one more. */
  const sentAfter = async ({ conversation, seq }: ChatRow, known: number, asker: Asker, limit: number) => {
    const found: { readonly place: number; readonly row: Row }[] = [];
    for (let low = known + 1; low <= seq && found.length <= limit;) {
      const rows = await messageRowsIn(store, conversation, { low, high: seq, order: 'ASC' }, limit + 1);
      const last = rows.at(-1);
      if (last === undefined) break;
      for (const row of rows) {
        const place = numberIn(row, 'sent_place');
        const changedAt = numberOr(row, 'change_place', Infinity);
        if (place <= asker.applied && changedAt > asker.applied) found.push({ place, row });
      }
      low = numberIn(last, 'seq') + 1;
    }
    return found.slice(0, limit + 1);
  };
  const changedAfter = async (chat: ChatRow, known: number, place: number, asker: Asker, limit: number) => {
    const found: { readonly place: number; readonly row: Row }[] = [];
    for await (const change of changesBetween(store, chat, known, place, asker.applied)) {
      if (change.seq <= chat.visibleFrom) continue;
      const row = await messageRowAt(store, chat.conversation, change.seq);
      if (row === undefined) continue;
      const latest = numberIn(row, 'change_place');
      if (latest === change.place || latest > asker.applied) found.push({ place: change.place, row });
      if (found.length > limit) break;
    }
    return found;
  };

  return {
    changesAfter: (user: UserId, place: number, limit: number): Promise<Changes> =>
      changesOfAll(user, place, clampLimit(limit), profilesAfter),
    chatsAfter: (user: UserId, place: number, limit: number): Promise<Changes> =>
      changesOfAll(user, place, clampLimit(limit), () => Promise.resolve(nobody)),
    async changesOf(
      user: UserId,
      conversation: ConversationId,
      place: number,
      asked: number,
    ): Promise<ChangedMessages | undefined> {
      const limit = clampLimit(asked);
      const asker = await askerOf(reads, user);
      const chat = await chatRow(store, user, conversation);
      if (chat === undefined) return undefined;
      const known = await seqUpTo(store, conversation, chat.visibleFrom, chat.seq, place);
      const found = [
        ...(await sentAfter(chat, known, asker, limit)),
        ...(await changedAfter(chat, known, place, asker, limit)),
      ].toSorted((one, other) => one.place - other.place);
      const erased = await erasedAmong(
        store,
        found.map(({ row }) => userIdIn(row, 'sender')),
      );
      const messages: { readonly place: number; readonly message: Message }[] = [];
      let room = pageText;
      let isLast = true;
      for (const one of found) {
        const message = messageIn(await withText(store, conversation, one.row), asker, erased);
        room -= lengthOf(message);
        if (messages.length === limit || (room < 0 && messages.length > 0)) {
          isLast = false;
          break;
        }
        messages.push({ place: one.place, message });
      }
      const incomplete = asker.incomplete || asker.isParked(conversationStream(conversation));
      return { messages, isLast, incomplete };
    },
  };
};
