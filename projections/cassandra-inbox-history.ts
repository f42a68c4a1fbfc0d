import type { CommandId, ConversationId, UserId } from '../schemas/ids.ts';
import { conversationStream, receiptsStream } from '../schemas/streams.ts';
import {
  clampLimit,
  type FoundCommand,
  type MemberList,
  type MemberView,
  type Message,
  type MessageKey,
  type MessagePage,
  type PageFrom,
  type Profile,
} from './inbox.ts';
import { endsOf, lengthOf, pageText } from './inbox-history-page.ts';
import { memberIn } from './cassandra-inbox-load.ts';
import { isPresent } from './cassandra-inbox-fold.ts';
import {
  askerOf,
  chatRow,
  erasedAmong,
  inOrder,
  messageIn,
  messageRowAt,
  messageRowsIn,
  seqOfSend,
  withText,
  type Asker,
  type ChatRow,
  type InboxReads,
} from './cassandra-inbox-read.ts';
import { uuidBytes } from '../event-log/bytes.ts';
import { idBytes, roles } from './inbox-codes.ts';
import { dayOf, isTrue, numberIn, textOrNull, userIdIn, type Row } from './cassandra-inbox-values.ts';

/** Long texts that are read at once. */
const textsAtOnce = 16;

export const profileIn = (row: Row, userId: UserId): Profile => {
  const erased = isTrue(row, 'erased');
  return {
    userId,
    displayName: erased ? null : textOrNull(row, 'display_name'),
    statusText: erased ? null : textOrNull(row, 'status_text'),
    erased,
  };
};

export const historyQueries = (reads: InboxReads) => {
  const { store, state } = reads;

  /** As many of the rows, in their order, as a page has room for. */
  const shown = async (rows: readonly Row[], conversation: ConversationId, asker: Asker): Promise<Message[]> => {
    const erased = await erasedAmong(
      store,
      rows.map((row) => userIdIn(row, 'sender')),
    );
    const messages: Message[] = [];
    let room = pageText;
    for (let from = 0; from < rows.length; from += textsAtOnce) {
      const whole = await inOrder(rows.slice(from, from + textsAtOnce), (row) => withText(store, conversation, row));
      for (const row of whole) {
        const message = messageIn(row, asker, erased);
        room -= lengthOf(message);
        if (room < 0 && messages.length > 0) return messages;
        messages.push(message);
      }
    }
    return messages;
  };

  const pageFrom = async (
    asker: Asker,
    { conversation, visibleFrom, seq }: ChatRow,
    from: PageFrom,
    limit: number,
  ): Promise<readonly Message[]> => {
    const read = async (low: number, high: number, order: 'ASC' | 'DESC', most: number): Promise<Message[]> =>
      shown(await messageRowsIn(store, conversation, { low, high, order }, most), conversation, asker);
    const upTo = async (last: number, most: number): Promise<Message[]> =>
      (await read(visibleFrom + 1, Math.min(last, seq), 'DESC', most)).reverse();
    const after = (first: number, most: number): Promise<Message[]> =>
      read(Math.max(first, visibleFrom + 1), seq, 'ASC', most);
    switch (from.from) {
      case 'newest':
        return upTo(seq, limit);
      case 'before':
        return upTo(from.seq - 1, limit);
      case 'after':
        return after(from.seq + 1, limit);
      case 'around': {
        const middle = Math.max(visibleFrom, Math.min(from.seq, seq));
        const newerHalf = Math.min(Math.floor(limit / 2), seq - middle);
        const before = await upTo(middle, limit - newerHalf);
        return [...before, ...(await after(middle + 1, limit - before.length))];
      }
      default:
        return from satisfies never;
    }
  };

  return {
    async messages(
      user: UserId,
      conversation: ConversationId,
      from: PageFrom,
      limit: number,
    ): Promise<MessagePage | undefined> {
      const [asker, row] = await Promise.all([askerOf(reads, user), chatRow(store, user, conversation)]);
      if (row === undefined) return undefined;
      const messages = await pageFrom(asker, row, from, clampLimit(limit));
      return {
        messages,
        ...endsOf(messages, from, row),
        incomplete: asker.incomplete || asker.isParked(conversationStream(conversation)),
      };
    },
    async message(user: UserId, conversation: ConversationId, which: MessageKey): Promise<Message | undefined> {
      const [asker, chat] = await Promise.all([askerOf(reads, user), chatRow(store, user, conversation)]);
      if (chat === undefined) return undefined;
      const seq = 'seq' in which ? which.seq : await seqOfSend(store, conversation, which.messageId);
      if (seq === undefined || seq <= chat.visibleFrom || seq > chat.seq) return undefined;
      const row = await messageRowAt(store, conversation, seq);
      return row && (await shown([row], conversation, asker))[0];
    },
    async members(user: UserId, conversation: ConversationId): Promise<MemberList | undefined> {
      const [asker, chat] = await Promise.all([askerOf(reads, user), chatRow(store, user, conversation)]);
      if (chat === undefined) return undefined;
      const rows = await store.rows('member', '*', 'conversation = ?', [idBytes(conversation)]);
      return {
        members: inJoiningOrder(rows).map(memberShown),
        incomplete: asker.isParked(conversationStream(conversation), receiptsStream(conversation)),
      };
    },
    async profiles(users: readonly UserId[]): Promise<readonly Profile[]> {
      const asked = users.slice(0, clampLimit(users.length));
      const found = await inOrder(asked, async (user): Promise<readonly Profile[]> => {
        const [row] = await store.rows('person', '*', 'user = ?', [idBytes(user)]);
        return row !== undefined && isTrue(row, 'registered') ? [profileIn(row, user)] : [];
      });
      return found.flat();
    },
    async blocks(user: UserId): Promise<readonly UserId[]> {
      // In the order of their bytes, as the partition is.
      return [...(await askerOf(reads, user)).blocked];
    },
    async findCommand(conversation: ConversationId, id: CommandId): Promise<FoundCommand> {
      // Before the row, for what is safe then is there.
      const { position, parked } = await state();
      const key = [idBytes(conversation), dayOf(id), uuidBytes(id)];
      const [row] = await store.rows('command', 'revision', 'conversation = ? AND day = ? AND id = ? LIMIT 1', key);
      const whole = !parked.some(({ stream }) => stream === conversationStream(conversation));
      return { revision: row && numberIn(row, 'revision'), safe: whole ? (position?.safe?.place ?? 0) : 0 };
    },
  };
};

/** The rows of those who are members now. */
export const inJoiningOrder = (rows: readonly Row[]) =>
  rows
    .map((row) => ({ userId: userIdIn(row, 'user'), ...memberIn(row) }))
    .filter(isPresent)
    .toSorted((one, other) => one.since - other.since || one.rank - other.rank);

const memberShown = (member: ReturnType<typeof inJoiningOrder>[number]): MemberView => {
  const { own, ownAt } = member;
  const later = (mark: number, time: number) =>
    own > mark ? { at: own, time: ownAt } : { at: mark, time: mark > 0 ? time : null };
  const delivered = later(member.delivered, member.deliveredAt);
  const read = later(member.read, member.readAt);
  return {
    userId: member.userId,
    role: roles[member.role ?? 0] ?? 'member',
    visibleFrom: member.visibleFrom,
    delivered: delivered.at,
    deliveredAt: delivered.time,
    read: read.at,
    readAt: read.time,
  };
};
