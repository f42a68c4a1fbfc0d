import type { DatabaseSync } from 'node:sqlite';
import type { MessageContent } from '../schemas/content.ts';
import type { ConversationId, UserId } from '../schemas/ids.ts';
import { kindOf, subjectOf, type StreamName } from '../schemas/streams.ts';
import { Unprojectable, type InboxChange } from './project-inbox.ts';
import {
  bucketOf,
  bucketSize,
  kinds,
  messageState,
  numberIn,
  roles,
  uuidBytes,
  type Row,
} from './sqlite-inbox-file.ts';
import { sqliteNumbers } from './sqlite-inbox-numbers.ts';
import { presenceRows } from './sqlite-inbox-presence-rows.ts';

type ChangeOf<T extends InboxChange['type']> = Extract<InboxChange, { type: T }>;

export interface InboxRows {
  /** Writes a change, or holds it back until `flush` where a later one of the batch may stand for both. */
  write(change: InboxChange, place: number): void;
  /** Writes what was held back: before the commit. */
  flush(): void;
  /** Forgets what was held back: after a rollback. */
  rolledBack(): void;
  /** Removes what a stream put here. */
  forget(stream: StreamName): void;
}

interface Advanced {
  seq: number;
  revision: number;
  place: number;
  activePlace: number | null;
  activeAt: number | null;
}

const stored = (content: MessageContent | null): { readonly state: number; readonly text: string | null } => {
  if (content === null) return { state: messageState.text, text: null };
  return content.type === 'text'
    ? { state: messageState.text, text: content.text }
    : { state: messageState.json, text: JSON.stringify(content) };
};

export const inboxRows = (db: DatabaseSync): InboxRows => {
  const numbers = sqliteNumbers(db);
  const advance = db.prepare(`UPDATE conversation SET seq = ?, revision = ?, place = ?,
    active_place = coalesce(?, active_place), active_at = coalesce(?, active_at) WHERE no = ?`);
  const begin = db.prepare('UPDATE conversation SET kind = ?, active_place = ?, active_at = ? WHERE no = ?');
  const name = db.prepare('UPDATE conversation SET name = ? WHERE no = ?');
  const join = db.prepare(`INSERT OR REPLACE INTO member
    (conversation, user, role, since, rank, visible_from, joined_place, joined_at, place)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const end = db.prepare('UPDATE member SET role = NULL, place = ? WHERE conversation = ? AND user = ?');
  const changeRole = db.prepare('UPDATE member SET role = ?, place = ? WHERE conversation = ? AND user = ?');
  const countMembers = db.prepare(`UPDATE conversation SET members =
    (SELECT count(*) FROM member WHERE conversation = ?1 AND role IS NOT NULL) WHERE no = ?1`);
  const storeCommand = db.prepare(
    'INSERT OR IGNORE INTO command (conversation, id, revision, seq) VALUES (?, ?, ?, ?)',
  );
  const send = db.prepare(`INSERT INTO message
    (conversation, seq, sender, state, id, time, reply_to, version, edited_at, place, content)
    VALUES (?, ?, ?, ?, ?, ?, ?, 0, NULL, ?, ?)`);
  const find = db.prepare(`SELECT message.rowid AS no, sender, state, erased FROM message
    JOIN user ON user.no = sender WHERE conversation = ? AND seq = ?`);
  const edit = db.prepare(
    'UPDATE message SET state = ?, content = ?, version = ?, edited_at = ?, place = ? WHERE rowid = ?',
  );
  const remove = db.prepare(
    `UPDATE message SET state = ${messageState.deleted}, content = NULL, version = ?, place = ? WHERE rowid = ?`,
  );
  const mark = db.prepare(`INSERT INTO mark (conversation, user, delivered, delivered_at, read, read_at)
    VALUES (?1, ?2, ?3, ?5, ?4, iif(?4 > 0, ?5, NULL))
    ON CONFLICT DO UPDATE SET
      delivered_at = iif(excluded.delivered > delivered, excluded.delivered_at, delivered_at),
      delivered = max(delivered, excluded.delivered),
      read_at = iif(excluded.read > read, excluded.read_at, read_at),
      read = max(read, excluded.read)`);
  const marksPlace = db.prepare('UPDATE conversation SET marks_place = ? WHERE no = ?');
  const markOwn = db.prepare(`INSERT INTO mark (conversation, user, own, own_at) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET own = excluded.own, own_at = excluded.own_at`);
  const count = db.prepare(`INSERT INTO sent (conversation, bucket, sender, messages) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET messages = messages + excluded.messages`);
  const profile = db.prepare('UPDATE user SET display_name = ?, status_text = ? WHERE no = ?');
  const register = db.prepare('UPDATE user SET registered = 1 WHERE no = ?');
  const erase = db.prepare('UPDATE user SET erased = 1, display_name = NULL, status_text = NULL WHERE no = ?');
  const bucketsOf = db.prepare(`SELECT sent.conversation, bucket FROM member
    JOIN sent ON sent.conversation = member.conversation AND sender = user WHERE user = ?`);
  const eraseTexts = db.prepare(`UPDATE message SET state = ${messageState.text}, content = NULL
    WHERE conversation = ? AND seq BETWEEN ? AND ? AND sender = ? AND state <> ${messageState.deleted}`);
  const block = db.prepare('INSERT OR IGNORE INTO block (user, blocked) VALUES (?, ?)');
  const unblock = db.prepare('DELETE FROM block WHERE user = ? AND blocked = ?');
  const presence = presenceRows(db);
  const set = db.prepare(`INSERT OR REPLACE INTO setting
    (user, conversation, muted_until, pinned, archived_at, place) VALUES (?, ?, ?, ?, ?, ?)`);

  // What only the last of a batch has to write, by the numbers of conversation, bucket and user.
  const advanced = new Map<number, Advanced>();
  const markedAt = new Map<number, number>();
  const own = new Map<number, Map<number, { seq: number; time: number }>>();
  const counted = new Map<number, Map<number, Map<number, number>>>();

  const entry = <K, V>(map: Map<K, V>, key: K, make: () => V): V => {
    let value = map.get(key);
    if (value === undefined) map.set(key, (value = make()));
    return value;
  };
  const addToCount = (conversation: number, seq: number, sender: number, messages: number): void => {
    const buckets = entry(counted, conversation, () => new Map<number, Map<number, number>>());
    const senders = entry(buckets, bucketOf(seq), () => new Map<number, number>());
    senders.set(sender, (senders.get(sender) ?? 0) + messages);
  };
  const existing = (conversation: number, seq: number): Row => {
    const row = find.get(conversation, seq);
    if (row === undefined) throw new Unprojectable(`there is no message ${seq} to change`);
    return row;
  };

  const sent = (change: ChangeOf<'message-sent'>, conversation: number, place: number): void => {
    const { seq, messageId, by, time, content, replyTo } = change;
    const sender = numbers.ofUser(by);
    const { state, text } = stored(numbers.isErased(by) ? null : content);
    send.run(conversation, seq, sender, state, uuidBytes(messageId), time, replyTo, place, text);
    addToCount(conversation, seq, sender, 1);
    entry(own, conversation, () => new Map<number, { seq: number; time: number }>()).set(sender, { seq, time });
    const now = advanced.get(conversation);
    if (now !== undefined) [now.activePlace, now.activeAt] = [place, time];
  };

  const flush = (): void => {
    for (const [no, { seq, revision, place, activePlace, activeAt }] of advanced) {
      advance.run(seq, revision, place, activePlace, activeAt, no);
    }
    for (const [no, place] of markedAt) marksPlace.run(place, no);
    for (const [no, users] of own) for (const [user, { seq, time }] of users) markOwn.run(no, user, seq, time);
    for (const [no, buckets] of counted) {
      for (const [bucket, senders] of buckets) {
        for (const [sender, messages] of senders) if (messages !== 0) count.run(no, bucket, sender, messages);
      }
    }
    clear();
  };
  const clear = (): void => {
    for (const held of [advanced, markedAt, own, counted]) held.clear();
  };

  const eraseUser = (id: UserId): void => {
    flush();
    const user = numbers.ofUser(id);
    erase.run(user);
    presence.erase(user);
    numbers.erased(id);
    for (const row of bucketsOf.all(user)) {
      const first = numberIn(row, 'bucket') * bucketSize;
      eraseTexts.run(numberIn(row, 'conversation'), first, first + bucketSize - 1, user);
    }
  };

  const writeOfConversation = (
    change: Extract<InboxChange, { conversation: ConversationId }>,
    conversation: number,
    place: number,
  ): void => {
    switch (change.type) {
      case 'conversation-advanced': {
        const now = entry(advanced, conversation, (): Advanced => ({
          ...change,
          place,
          activePlace: null,
          activeAt: null,
        }));
        [now.seq, now.revision, now.place] = [change.seq, change.revision, place];
        return;
      }
      case 'command-stored':
        storeCommand.run(conversation, uuidBytes(change.id), change.revision, change.seq);
        return;
      case 'conversation-started':
        begin.run(kinds.indexOf(change.kind), place, change.time, conversation);
        return;
      case 'conversation-named':
        name.run(change.name, conversation);
        return;
      case 'member-joined': {
        const { user, role, since, rank, visibleFrom, time } = change;
        const no = numbers.ofUser(user);
        join.run(conversation, no, roles.indexOf(role), since, rank, visibleFrom, place, time, place);
        countMembers.run(conversation);
        return;
      }
      case 'member-ended':
        end.run(place, conversation, numbers.ofUser(change.user));
        countMembers.run(conversation);
        return;
      case 'role-changed':
        changeRole.run(roles.indexOf(change.role), place, conversation, numbers.ofUser(change.user));
        return;
      case 'message-sent':
        sent(change, conversation, place);
        return;
      case 'message-edited': {
        const row = existing(conversation, change.seq);
        if (row['state'] === messageState.deleted) return;
        const { state, text } = stored(row['erased'] === 1 ? null : change.content);
        edit.run(state, text, change.version, change.time, place, numberIn(row, 'no'));
        return;
      }
      case 'message-deleted': {
        const row = existing(conversation, change.seq);
        if (row['state'] === messageState.deleted) return;
        remove.run(change.version, place, numberIn(row, 'no'));
        addToCount(conversation, change.seq, numberIn(row, 'sender'), -1);
        return;
      }
      case 'marks-advanced': {
        const { user, delivered, read, time } = change;
        if (read > 0 || delivered > 0) {
          mark.run(conversation, numbers.ofUser(user), Math.max(delivered, read), read, time);
        }
        markedAt.set(conversation, place);
        return;
      }
      case 'chat-settings-changed': {
        const { user, mutedUntil, pinned, archivedAt } = change;
        set.run(numbers.ofUser(user), conversation, mutedUntil, pinned ? 1 : 0, archivedAt, place);
        return;
      }
      default:
        change satisfies never;
    }
  };

  return {
    write(change, place) {
      if ('conversation' in change) {
        writeOfConversation(change, numbers.ofConversation(change.conversation), place);
        return;
      }
      const user = numbers.ofUser(change.user);
      switch (change.type) {
        case 'user-registered':
          register.run(user);
          return;
        case 'profile-changed':
          if (!numbers.isErased(change.user)) profile.run(change.displayName, change.statusText, user);
          return;
        case 'user-erased':
          eraseUser(change.user);
          return;
        case 'user-blocked':
          block.run(user, numbers.ofUser(change.blocked));
          return;
        case 'user-unblocked':
          unblock.run(user, numbers.ofUser(change.blocked));
          return;
        case 'came-online':
        case 'went-offline':
        case 'status-announced':
          presence.write(change, user, numbers.isErased(change.user));
          return;
        default:
          change satisfies never;
      }
    },
    flush,
    rolledBack() {
      clear();
      numbers.forget();
    },
    forget(stream) {
      flush();
      const kind = kindOf(stream);
      if (kind === 'user') {
        const user = numbers.ofUser(subjectOf(stream) as UserId);
        for (const table of ['setting', 'block']) db.prepare(`DELETE FROM ${table} WHERE user = ?`).run(user);
        db.prepare(
          `UPDATE user SET registered = 0, erased = 0, display_name = NULL, status_text = NULL
          WHERE no = ?`,
        ).run(user);
        numbers.forget();
        return;
      }
      if (kind === 'presence') {
        presence.forget(numbers.ofUser(subjectOf(stream) as UserId));
        return;
      }
      const conversation = numbers.ofConversation(subjectOf(stream) as ConversationId);
      if (kind === 'receipts') {
        db.prepare(
          `UPDATE mark SET delivered = 0, delivered_at = NULL, read = 0, read_at = NULL
          WHERE conversation = ?`,
        ).run(conversation);
        marksPlace.run(0, conversation);
        return;
      }
      for (const table of ['message', 'command', 'sent', 'member']) {
        db.prepare(`DELETE FROM ${table} WHERE conversation = ?`).run(conversation);
      }
      db.prepare('UPDATE mark SET own = 0, own_at = NULL WHERE conversation = ?').run(conversation);
      db.prepare(
        `UPDATE conversation SET kind = 0, name = NULL, members = 0, seq = 0, revision = -1, place = 0,
        active_place = 0, active_at = 0 WHERE no = ?`,
      ).run(conversation);
    },
  };
};
