import type { DatabaseSync } from 'node:sqlite';
import type { MessageContent } from '../schemas/content.ts';
import type { ConversationId, UserId } from '../schemas/ids.ts';
import { userStream, type StreamName } from '../schemas/streams.ts';
import { timeOfUuid } from '../schemas/uuid-v7.ts';
import type { Message } from './inbox.ts';
import { idBytes } from './inbox-codes.ts';
import {
  commandIdIn,
  messageState,
  numberIn,
  numberOrNull,
  textOrNull,
  userIdIn,
  type Row,
} from './sqlite-inbox-file.ts';

/** Who asks, as the rows name the user, and whose messages are hidden from the user now. */
export interface Asker {
  readonly no: number;
  readonly blocked: ReadonlySet<number>;
  readonly incomplete: boolean;
}

/** What a present member may see of a conversation. */
export interface Access {
  readonly conversation: number;
  readonly visibleFrom: number;
  /** Of the last message. */
  readonly seq: number;
}

export interface InboxAccess {
  /** Undefined: nobody the log has ever spoken of. */
  readonly asker: (user: UserId) => Asker | undefined;
  /** Undefined: not a member now, or nothing there. */
  readonly access: (asker: Asker, conversation: ConversationId) => Access | undefined;
  readonly isParked: (...streams: StreamName[]) => boolean;
}

export const inboxAccess = (db: DatabaseSync): InboxAccess => {
  const findUser = db.prepare('SELECT no FROM user WHERE id = ?');
  const blockedBy = db.prepare('SELECT blocked FROM block WHERE user = ?');
  const findMember = db.prepare(`SELECT no, visible_from, seq FROM conversation
    JOIN member ON conversation = no AND user = ? WHERE id = ? AND role IS NOT NULL`);
  const anyParked = db.prepare('SELECT 1 FROM parked LIMIT 1');
  const findParked = db.prepare('SELECT 1 FROM parked WHERE stream = ?');

  const isParked = (...streams: StreamName[]): boolean =>
    anyParked.get() !== undefined && streams.some((stream) => findParked.get(stream) !== undefined);

  return {
    isParked,
    asker(user) {
      const row = findUser.get(idBytes(user));
      if (row === undefined) return undefined;
      const no = numberIn(row, 'no');
      const blocked = new Set(blockedBy.all(no).map((found) => numberIn(found, 'blocked')));
      return { no, blocked, incomplete: isParked(userStream(user)) };
    },
    access({ no }, conversation) {
      const row = findMember.get(no, idBytes(conversation));
      return row === undefined
        ? undefined
        : {
            conversation: numberIn(row, 'no'),
            visibleFrom: numberIn(row, 'visible_from'),
            seq: numberIn(row, 'seq'),
          };
    },
  };
};

/** The columns `messageIn` reads. What an erased person wrote is shown to nobody, also while it lies in the file still. */
export const messageColumns = `message.seq, message.id, user.id AS by, message.sender, message.state, message.time_after_id,
  message.reply_to, coalesce(change.version, 0) AS version, change.at AS changed_at,
  coalesce(change.place, message.place) AS place, iif(user.erased = 1, NULL, message.content) AS content`;

export const fromMessage = `FROM message JOIN user ON user.no = message.sender
  LEFT JOIN change ON change.message = message.place`;

/** The message of a place. */
export const messageAtPlace = `SELECT ${messageColumns} ${fromMessage} WHERE message.place = ?`;

/** The last changes of a conversation after a place, of messages after a seq. */
export const changesAfterPlace = `SELECT message, change.place FROM change CROSS JOIN message ON message.place = message
  WHERE change.conversation = ? AND change.place > ? AND message.seq > ? ORDER BY change.place LIMIT ?`;

export const contentIn = (row: Row): MessageContent | null => {
  const text = textOrNull(row, 'content');
  if (text === null) return null;
  return row['state'] === messageState.json ? (JSON.parse(text) as MessageContent) : { type: 'text', text };
};

/** When it was sent. */
export const timeIn = (row: Row): number => timeOfUuid(commandIdIn(row, 'id')) + numberIn(row, 'time_after_id');

export const messageIn = (row: Row, { blocked }: Asker): Message => {
  const deleted = row['state'] === messageState.deleted;
  const hidden = blocked.has(numberIn(row, 'sender'));
  return {
    seq: numberIn(row, 'seq'),
    messageId: commandIdIn(row, 'id'),
    by: userIdIn(row, 'by'),
    time: timeIn(row),
    version: numberIn(row, 'version'),
    state: deleted ? 'deleted' : hidden ? 'hidden' : 'shown',
    content: hidden ? null : contentIn(row),
    replyTo: hidden || deleted ? null : numberOrNull(row, 'reply_to'),
    editedAt: hidden || deleted ? null : numberOrNull(row, 'changed_at'),
    cut: false,
  };
};
