import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { CommandId, ConversationId, UserId } from '../schemas/ids.ts';
import { conversationStream, receiptsStream } from '../schemas/streams.ts';
import type {
  FoundCommand,
  MemberList,
  MemberView,
  Message,
  MessageKey,
  MessagePage,
  PageFrom,
  Profile,
} from './inbox.ts';
import { endsOf, lengthOf, pageText } from './inbox-history-page.ts';
import { fromMessage, inboxAccess, messageColumns, messageIn, type Access, type Asker } from './sqlite-inbox-access.ts';
import { uuidBytes } from '../event-log/bytes.ts';
import { idBytes, roles } from './inbox-codes.ts';
import { userIdIn, idPrefix, numberIn, numberOrNull, textOrNull, type Row } from './sqlite-inbox-file.ts';

export const profileIn = (row: Row, id: UserId): Profile => ({
  userId: id,
  displayName: textOrNull(row, 'display_name'),
  statusText: textOrNull(row, 'status_text'),
  erased: row['erased'] === 1,
});

export const historyQueries = (db: DatabaseSync) => {
  const { asker, access, isParked } = inboxAccess(db);
  const ofConversation = `SELECT ${messageColumns} ${fromMessage} WHERE message.conversation = ?1`;
  const older = db.prepare(`${ofConversation} AND message.seq BETWEEN ?2 AND ?3 ORDER BY message.seq DESC LIMIT ?4`);
  const newer = db.prepare(`${ofConversation} AND message.seq BETWEEN ?2 AND ?3 ORDER BY message.seq LIMIT ?4`);
  const at = db.prepare(`${ofConversation} AND message.seq = ?2`);
  const sentAs = `FROM message INDEXED BY message_by_id
    WHERE message.conversation = ?1 AND ${idPrefix('message.id')} = ${idPrefix('?2')} AND message.id = ?2`;
  const seqOfSend = db.prepare(`SELECT seq, seq + revision_ahead AS revision ${sentAs}`);
  const memberRows = db.prepare(`SELECT user.id, role, visible_from, coalesce(own, 0) AS own, own_at,
    coalesce(delivered, 0) AS delivered, delivered_at, coalesce(read, 0) AS read, read_at
    FROM member JOIN user ON user.no = member.user
    LEFT JOIN mark ON mark.conversation = member.conversation AND mark.user = member.user
    WHERE member.conversation = ? AND role IS NOT NULL ORDER BY since, rank`);
  const profile = db.prepare('SELECT id, display_name, status_text, erased FROM user WHERE id = ? AND registered = 1');
  const blocks = db.prepare('SELECT id FROM block JOIN user ON user.no = blocked WHERE block.user = ? ORDER BY id');
  const command = db.prepare('SELECT revision FROM command WHERE conversation = ? AND id = ?');
  const conversationNo = db.prepare('SELECT no FROM conversation WHERE id = ?');
  const position = db.prepare('SELECT place FROM position');

  const read = (
    statement: StatementSync,
    by: Asker,
    conversation: number,
    [low, high]: readonly [number, number],
    limit: number,
  ): Message[] => {
    const messages: Message[] = [];
    let room = pageText;
    if (limit === 0 || low > high) return messages;
    for (const row of statement.iterate(conversation, low, high, limit)) {
      const message = messageIn(row, by);
      room -= lengthOf(message);
      if (room < 0 && messages.length > 0) break;
      messages.push(message);
    }
    return messages;
  };

  const pageFrom = (
    by: Asker,
    { conversation, visibleFrom, seq }: Access,
    from: PageFrom,
    limit: number,
  ): Message[] => {
    const upTo = (last: number, most: number): Message[] =>
      read(older, by, conversation, [visibleFrom + 1, Math.min(last, seq)], most).reverse();
    const after = (first: number, most: number): Message[] =>
      read(newer, by, conversation, [Math.max(first, visibleFrom + 1), seq], most);
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
        const before = upTo(middle, limit - newerHalf);
        return [...before, ...after(middle + 1, limit - before.length)];
      }
      default:
        return from satisfies never;
    }
  };

  const mayAsk = (user: UserId, conversation: ConversationId): (Access & { readonly by: Asker }) | undefined => {
    const by = asker(user);
    const found = by && access(by, conversation);
    return found && { ...found, by };
  };

  const memberIn = (row: Row): MemberView => {
    const own = numberIn(row, 'own');
    const later = (mark: 'delivered' | 'read') =>
      own > numberIn(row, mark)
        ? { at: own, time: numberOrNull(row, 'own_at') }
        : { at: numberIn(row, mark), time: numberOrNull(row, `${mark}_at`) };
    const [delivered, read] = [later('delivered'), later('read')];
    return {
      userId: userIdIn(row, 'id'),
      role: roles[numberIn(row, 'role')] ?? 'member',
      visibleFrom: numberIn(row, 'visible_from'),
      delivered: delivered.at,
      deliveredAt: delivered.time,
      read: read.at,
      readAt: read.time,
    };
  };

  return {
    messages(user: UserId, conversation: ConversationId, from: PageFrom, limit: number): MessagePage | undefined {
      const may = mayAsk(user, conversation);
      if (may === undefined) return undefined;
      const messages = pageFrom(may.by, may, from, limit);
      return {
        messages,
        ...endsOf(messages, from, may),
        incomplete: may.by.incomplete || isParked(conversationStream(conversation)),
      };
    },
    message(user: UserId, conversation: ConversationId, which: MessageKey): Message | undefined {
      const may = mayAsk(user, conversation);
      if (may === undefined) return undefined;
      const found = 'seq' in which ? which : seqOfSend.get(may.conversation, uuidBytes(which.messageId));
      if (found === undefined) return undefined;
      const seq = numberIn({ seq: found.seq ?? null }, 'seq');
      const row = seq > may.visibleFrom ? at.get(may.conversation, seq) : undefined;
      return row && messageIn(row, may.by);
    },
    members(user: UserId, conversation: ConversationId): MemberList | undefined {
      const may = mayAsk(user, conversation);
      return (
        may && {
          members: memberRows.all(may.conversation).map(memberIn),
          incomplete: isParked(conversationStream(conversation), receiptsStream(conversation)),
        }
      );
    },
    profiles(users: readonly UserId[]): readonly Profile[] {
      return users.flatMap((id) => {
        const row = profile.get(idBytes(id));
        return row === undefined ? [] : [profileIn(row, id)];
      });
    },
    blocks(user: UserId): readonly UserId[] {
      const by = asker(user);
      return by === undefined ? [] : blocks.all(by.no).map((row) => userIdIn(row, 'id'));
    },
    findCommand(conversation: ConversationId, id: CommandId): FoundCommand {
      const found = conversationNo.get(idBytes(conversation));
      const no = found && numberIn(found, 'no');
      const row = no === undefined ? undefined : (seqOfSend.get(no, uuidBytes(id)) ?? command.get(no, uuidBytes(id)));
      const reached = position.get();
      const whole = !isParked(conversationStream(conversation));
      return {
        revision: row && numberIn(row, 'revision'),
        safe: whole && reached !== undefined ? numberIn(reached, 'place') : 0,
      };
    },
  };
};
