import type { DatabaseSync } from 'node:sqlite';
import type { ConversationId, UserId } from '../schemas/ids.ts';
import { kindOf, subjectOf, type StreamName } from '../schemas/streams.ts';
import type { InboxChange } from './project-inbox.ts';
import { uuidBytes } from '../event-log/bytes.ts';
import { kinds, roles } from './inbox-codes.ts';
import { messageRows } from './sqlite-inbox-message-rows.ts';
import { sqliteNumbers } from './sqlite-inbox-numbers.ts';
import { presenceRows } from './sqlite-inbox-presence-rows.ts';

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

type Description = Extract<
  InboxChange,
  { type: 'conversation-started' | 'conversation-named' | 'member-joined' | 'member-ended' | 'role-changed' }
>;

interface Advanced {
  seq: number;
  revision: number;
  place: number;
  /** Of the last change of its name or its members. */
  describedPlace: number | null;
  /** Of the last edit or deletion. */
  changedPlace: number | null;
  activePlace: number | null;
  activeAt: number | null;
}

export const inboxRows = (db: DatabaseSync): InboxRows => {
  const numbers = sqliteNumbers(db);
  const messages = messageRows(db, numbers);
  const presence = presenceRows(db);
  const advance = db.prepare(`UPDATE conversation SET seq = ?, revision = ?, place = ?,
    described_place = coalesce(?, described_place), changed_place = coalesce(?, changed_place),
    active_place = coalesce(?, active_place),
    active_at = coalesce(?, active_at) WHERE no = ?`);
  const begin = db.prepare('UPDATE conversation SET kind = ?, active_place = ?, active_at = ? WHERE no = ?');
  const name = db.prepare('UPDATE conversation SET name = ? WHERE no = ?');
  const join = db.prepare(`INSERT OR REPLACE INTO member
    (conversation, user, role, since, rank, visible_from, joined_place, place, by, at, version)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const end = db.prepare(`UPDATE member SET role = NULL, place = ?, by = ?, at = ?, version = ?
    WHERE conversation = ? AND user = ?`);
  const changeRole = db.prepare('UPDATE member SET role = ?, place = ? WHERE conversation = ? AND user = ?');
  const countMembers = db.prepare(`UPDATE conversation SET members =
    (SELECT count(*) FROM member WHERE conversation = ?1 AND role IS NOT NULL) WHERE no = ?1`);
  const storeCommand = db.prepare('INSERT OR IGNORE INTO command (conversation, id, revision) VALUES (?, ?, ?)');
  const mark = db.prepare(`INSERT INTO mark (conversation, user, delivered, delivered_at, read, read_at)
    VALUES (?1, ?2, ?3, ?5, ?4, iif(?4 > 0, ?5, NULL))
    ON CONFLICT DO UPDATE SET
      delivered_at = iif(excluded.delivered > delivered, excluded.delivered_at, delivered_at),
      delivered = max(delivered, excluded.delivered),
      read_at = iif(excluded.read > read, excluded.read_at, read_at),
      read = max(read, excluded.read)`);
  const marksPlace = db.prepare('UPDATE conversation SET marks_place = ? WHERE no = ?');
  const profile = db.prepare('UPDATE user SET display_name = ?, status_text = ?, place = ? WHERE no = ?');
  const register = db.prepare('UPDATE user SET registered = 1 WHERE no = ?');
  const erase = db.prepare(`UPDATE user SET erased = 1, display_name = NULL, status_text = NULL, place = ?
    WHERE no = ?`);
  const beginErasing = db.prepare('INSERT OR IGNORE INTO erasing (user) VALUES (?)');
  const block = db.prepare('INSERT OR IGNORE INTO block (user, blocked) VALUES (?, ?)');
  const unblock = db.prepare('DELETE FROM block WHERE user = ? AND blocked = ?');
  const blocksPlace = db.prepare('UPDATE user SET blocks_place = ? WHERE no = ?');
  const set = db.prepare(`INSERT OR REPLACE INTO setting
    (user, conversation, muted_until, pinned, archived_at, place) VALUES (?, ?, ?, ?, ?, ?)`);

  // What only the last of a batch has to write, by the number of the conversation.
  const advanced = new Map<number, Advanced>();
  const markedAt = new Map<number, number>();

  const flush = (): void => {
    for (const [no, { seq, revision, place, describedPlace, changedPlace, activePlace, activeAt }] of advanced) {
      advance.run(seq, revision, place, describedPlace, changedPlace, activePlace, activeAt, no);
    }
    for (const [no, place] of markedAt) marksPlace.run(place, no);
    messages.flush();
    clear();
  };
  const clear = (): void => {
    advanced.clear();
    markedAt.clear();
    messages.clear();
  };

  const writeOfConversation = (
    change: Extract<InboxChange, { conversation: ConversationId }>,
    conversation: number,
    place: number,
  ): void => {
    const now = advanced.get(conversation);
    switch (change.type) {
      case 'conversation-advanced': {
        const { seq, revision } = change;
        if (now !== undefined) [now.seq, now.revision, now.place] = [seq, revision, place];
        else {
          const nothingElse = { describedPlace: null, changedPlace: null, activePlace: null, activeAt: null };
          advanced.set(conversation, { seq, revision, place, ...nothingElse });
        }
        return;
      }
      case 'message-sent':
        messages.sent(change, conversation, place);
        if (now !== undefined) [now.activePlace, now.activeAt] = [place, change.time];
        return;
      case 'message-edited':
        messages.edited(change, conversation, place);
        if (now !== undefined) now.changedPlace = place;
        return;
      case 'message-deleted':
        messages.deleted(change, conversation, place);
        if (now !== undefined) now.changedPlace = place;
        return;
      case 'command-stored':
        storeCommand.run(conversation, uuidBytes(change.id), change.revision);
        return;
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
      case 'conversation-started':
      case 'conversation-named':
      case 'member-joined':
      case 'member-ended':
      case 'role-changed':
        describe(change, conversation, place);
        if (now !== undefined) now.describedPlace = place;
        return;
      default:
        change satisfies never;
    }
  };

  const describe = (change: Description, conversation: number, place: number): void => {
    switch (change.type) {
      case 'conversation-started':
        begin.run(kinds.indexOf(change.kind), place, change.time, conversation);
        return;
      case 'conversation-named':
        name.run(change.name, conversation);
        return;
      case 'member-joined': {
        const { user, role, since, rank, visibleFrom, by, time, version } = change;
        const what = [roles.indexOf(role), since, rank, visibleFrom, place, place, numbers.ofUser(by), time, version];
        join.run(conversation, numbers.ofUser(user), ...what);
        countMembers.run(conversation);
        return;
      }
      case 'member-ended': {
        const { user, by, time, version } = change;
        end.run(place, numbers.ofUser(by), time, version, conversation, numbers.ofUser(user));
        countMembers.run(conversation);
        return;
      }
      case 'role-changed':
        changeRole.run(roles.indexOf(change.role), place, conversation, numbers.ofUser(change.user));
        return;
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
          if (!numbers.isErased(change.user)) profile.run(change.displayName, change.statusText, place, user);
          return;
        case 'user-erased':
          erase.run(place, user);
          presence.erase(user);
          beginErasing.run(user);
          numbers.erased(change.user);
          return;
        case 'user-blocked':
          block.run(user, numbers.ofUser(change.blocked));
          blocksPlace.run(place, user);
          return;
        case 'user-unblocked':
          unblock.run(user, numbers.ofUser(change.blocked));
          blocksPlace.run(place, user);
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
        // Who was erased stays so, lest anything of it show until the event is in again.
        db.prepare(
          `UPDATE user SET registered = 0, display_name = NULL, status_text = NULL, place = 0, blocks_place = 0
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
      messages.forget(conversation);
      for (const table of ['command', 'member']) {
        db.prepare(`DELETE FROM ${table} WHERE conversation = ?`).run(conversation);
      }
      db.prepare(
        `UPDATE conversation SET kind = 0, name = NULL, members = 0, seq = 0, revision = -1, place = 0,
        described_place = 0, changed_place = 0, active_place = 0, active_at = 0 WHERE no = ?`,
      ).run(conversation);
    },
  };
};
