import type { UserId } from '../schemas/ids.ts';
import { kindOf } from '../schemas/streams.ts';
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
import { isPresentIn } from './cassandra-inbox-chats.ts';
import { inJoiningOrder } from './cassandra-inbox-history.ts';
import { changesBetween, seqUpTo, type ChangeAtPlace } from './cassandra-inbox-places.ts';
import {
  chatRows,
  erasedAmong,
  inOrder,
  messageRowAt,
  messageRowsIn,
  withText,
  type ChatRow,
  type InboxReads,
} from './cassandra-inbox-read.ts';
import { idBytes, kinds, roles } from './inbox-codes.ts';
import {
  commandIdIn,
  contentOf,
  messageState,
  numberIn,
  numberOr,
  positiveOrNull,
  textOrNull,
  userIdIn,
  type Row,
} from './cassandra-inbox-values.ts';

/** The next item of one chat. */
interface Source {
  readonly place: number;
  readonly read: () => Promise<SizedItem>;
  /** What lies behind it, looked up only when it was taken. */
  readonly rest: () => Promise<readonly Source[]>;
}

const none = (): Promise<readonly Source[]> => Promise.resolve([]);

/** Rows are looked up few at first, for of most chats a page takes few. */
const firstLookUp = 4;

export const missedQueries = ({ store, state }: InboxReads) => {
  const membersOf = async ({ conversation }: ChatRow) =>
    inJoiningOrder(await store.rows('member', '*', 'conversation = ?', [idBytes(conversation)]));

  const conversationIn = async (chat: ChatRow): Promise<Item> => ({
    type: 'conversation',
    conversationId: chat.conversation,
    kind: kinds[chat.kind] ?? 'group',
    name: chat.name,
    members: (await membersOf(chat)).map(({ userId, role }) => ({ userId, role: roles[role ?? 0] ?? 'member' })),
    seq: chat.seq,
    visibleFrom: chat.visibleFrom,
    by: chat.begunBy,
    time: chat.begunAt,
    version: chat.revision + 1 - chat.seq,
  });
  const endedIn = (chat: ChatRow): Item => ({
    type: 'ended',
    conversationId: chat.conversation,
    by: chat.begunBy,
    time: chat.begunAt,
    version: chat.memberVersion,
  });
  const marksIn = async (chat: ChatRow): Promise<Item> => {
    const members = (await membersOf(chat))
      .filter(({ delivered }) => delivered > 0)
      .toSorted((one, other) => Buffer.compare(idBytes(one.userId), idBytes(other.userId)));
    return {
      type: 'marks',
      conversationId: chat.conversation,
      marks: members.map(({ userId, delivered, read }) => ({ userId, delivered, read })),
      visibleFrom: chat.visibleFrom,
      memberCount: chat.members,
      time: Math.max(0, ...members.flatMap(({ deliveredAt, readAt }) => [deliveredAt, readAt])),
    };
  };

  const missedAfter = async (user: UserId, after: number, limit: number): Promise<Missed | undefined> => {
    const { parked, position } = await state();
    if (parked.some(({ stream }) => kindOf(stream) === 'conversation')) return undefined;
    const applied = position?.applied.place ?? 0;
    if (applied <= after) return { items: [], through: Math.max(after, applied), isLast: true };
    const erased = new Map<UserId, Promise<boolean>>();
    const isErased = (by: UserId): Promise<boolean> => {
      let found = erased.get(by);
      if (found === undefined) erased.set(by, (found = erasedAmong(store, [by]).then((some) => some.has(by))));
      return found;
    };

    const messageIn = async (type: 'sent' | 'changed', chat: ChatRow, row: Row): ReturnType<Source['read']> => {
      const by = userIdIn(row, 'sender');
      const whole = await withText(store, chat.conversation, row);
      const stateOf = numberIn(row, 'state');
      const stored = contentOf({ state: stateOf, content: textOrNull(whole, 'content') ?? '' });
      const content = (await isErased(by)) ? null : stored;
      const item: Item = {
        type,
        conversationId: chat.conversation,
        seq: numberIn(row, 'seq'),
        messageId: commandIdIn(row, 'id'),
        by,
        time: numberIn(row, 'time'),
        content,
        replyTo: positiveOrNull(row, 'reply_to'),
        deleted: stateOf === messageState.deleted,
        version: numberOr(row, 'change_version', 0),
        changedAt: numberOr(row, 'change_at', null),
      };
      return { item, size: sizeOfMessage({ content }) };
    };

    /** The messages of a chat after a seq. */
    const sentAfter = async (chat: ChatRow, known: number, lookUp = firstLookUp): Promise<readonly Source[]> => {
      const range = { low: known + 1, high: chat.seq, order: 'ASC' } as const;
      const rows = await messageRowsIn(store, chat.conversation, range, lookUp);
      const at = async (index: number): Promise<readonly Source[]> => {
        const row = rows[index];
        if (row === undefined) return rows.length < lookUp ? [] : sentAfter(chat, known + index, nextLookUp(lookUp));
        const place = numberIn(row, 'sent_place');
        // Later ones are not all there yet.
        if (place > applied) return [];
        return [{ place, read: () => messageIn('sent', chat, row), rest: () => at(index + 1) }];
      };
      return at(0);
    };

    /** The last changes of its messages after a place. */
    const changesAfter = async (chat: ChatRow, known: number, place: number): Promise<readonly Source[]> => {
      const changes: AsyncIterator<ChangeAtPlace, undefined> = changesBetween(store, chat, known, place, applied);
      const next = async (): Promise<readonly Source[]> => {
        for (;;) {
          const step = await changes.next();
          if (step.done === true) return [];
          const change = step.value;
          if (change.seq <= chat.visibleFrom) continue;
          const row = await messageRowAt(store, chat.conversation, change.seq);
          if (row === undefined) continue;
          const latest = numberIn(row, 'change_place');
          if (latest !== change.place && latest <= applied) continue;
          return [{ place: change.place, read: () => messageIn('changed', chat, row), rest: next }];
        }
      };
      return next();
    };

    const sourcesOf = async (chat: ChatRow): Promise<readonly Source[]> => {
      // What is later than the position comes at it, for what it was before is not to be had any more, and then again.
      const atMost = (place: number): number => Math.min(place, applied);
      if (!isPresentIn(chat)) {
        const read = () => Promise.resolve({ item: endedIn(chat), size: itemSize });
        return [{ place: atMost(chat.memberPlace), read, rest: none }];
      }
      const size = sizeOfConversation(chat.members);
      const conversation = (place: number, rest: Source['rest']): Source => ({
        place,
        read: async () => ({ item: await conversationIn(chat), size }),
        rest,
      });
      const marksAfter = (place: number): readonly Source[] =>
        chat.marksPlace > place
          ? [{ place: atMost(chat.marksPlace), read: async () => ({ item: await marksIn(chat), size }), rest: none }]
          : [];
      const { joinedPlace, describedPlace, visibleFrom } = chat;
      // Whatever a new member sees of a chat comes after the joining.
      if (joinedPlace > after) {
        const rest = async () => [
          ...(await sentAfter(chat, visibleFrom)),
          ...(await changesAfter(chat, visibleFrom, joinedPlace)),
          ...marksAfter(joinedPlace),
        ];
        return [conversation(atMost(joinedPlace), rest)];
      }
      const known = await seqUpTo(store, chat.conversation, visibleFrom, chat.seq, after);
      return [
        ...(describedPlace > after ? [conversation(atMost(describedPlace), none)] : []),
        ...(await sentAfter(chat, known)),
        ...(await changesAfter(chat, known, after)),
        ...marksAfter(after),
      ];
    };

    const isChanged = (chat: ChatRow): boolean =>
      (isPresentIn(chat) ? Math.max(chat.place, chat.marksPlace) : chat.memberPlace) > after;
    const changed = (await chatRows(store, user)).filter(isChanged);
    const queue = (await inOrder(changed, sourcesOf)).flat().toSorted((one, other) => other.place - one.place);
    const items: MissedItem[] = [];
    let room = pageRoom;
    let through = after;
    for (let source = queue.pop(); source !== undefined; source = queue.pop()) {
      if (items.length === limit) return { items, through, isLast: false };
      const { place, read, rest } = source;
      const { item, size } = await read();
      room -= size;
      if (room < 0 && items.length > 0) return { items, through, isLast: false };
      items.push({ ...item, place });
      through = place;
      for (const next of await rest()) insert(queue, next);
    }
    return { items, through: applied, isLast: true };
  };
  return { missedAfter };
};
