import type { DatabaseSync } from 'node:sqlite';
import type { MessageContent } from '../schemas/content.ts';
import { timeOfUuid } from '../schemas/uuid-v7.ts';
import { Unprojectable, type InboxChange } from './project-inbox.ts';
import { uuidBytes } from '../event-log/bytes.ts';
import { bucketOf } from './inbox-codes.ts';
import { messageState, numberIn, type Row } from './sqlite-inbox-file.ts';
import type { SqliteNumbers } from './sqlite-inbox-numbers.ts';

type ChangeOf<T extends InboxChange['type']> = Extract<InboxChange, { type: T }>;

/** Messages, what came of them, who wrote how many, and the ids of commands; by the number of their conversation. */
export interface MessageRows {
  sent(change: ChangeOf<'message-sent'>, conversation: number, place: number): void;
  edited(change: ChangeOf<'message-edited'>, conversation: number, place: number): void;
  deleted(change: ChangeOf<'message-deleted'>, conversation: number, place: number): void;
  /** Writes what only the last change of a batch has to write. */
  flush(): void;
  /** Forgets what `flush` would write. */
  clear(): void;
  forget(conversation: number): void;
}

const stored = (content: MessageContent | null): { readonly state: number; readonly text: string | null } => {
  if (content === null) return { state: messageState.text, text: null };
  return content.type === 'text'
    ? { state: messageState.text, text: content.text }
    : { state: messageState.json, text: JSON.stringify(content) };
};

const entry = <K, V>(map: Map<K, V>, key: K, make: () => V): V => {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
};

export const messageRows = (db: DatabaseSync, numbers: SqliteNumbers): MessageRows => {
  const send = db.prepare(`INSERT INTO message
    (place, conversation, seq, sender, state, id, time_after_id, reply_to, revision_ahead, content)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const find = db.prepare(`SELECT message.place, sender, state, erased FROM message
    JOIN user ON user.no = sender WHERE conversation = ? AND seq = ?`);
  const setContent = db.prepare('UPDATE message SET state = ?, content = ? WHERE place = ?');
  const changed = db.prepare(
    'INSERT OR REPLACE INTO change (message, conversation, place, version, at) VALUES (?, ?, ?, ?, ?)',
  );
  const markOwn = db.prepare(`INSERT INTO mark (conversation, user, own, own_at) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET own = excluded.own, own_at = excluded.own_at`);
  const count = db.prepare(`INSERT INTO sent (conversation, bucket, sender, messages) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET messages = messages + excluded.messages`);

  // By the numbers of conversation, bucket and user.
  const own = new Map<number, Map<number, { seq: number; time: number }>>();
  const counted = new Map<number, Map<number, Map<number, number>>>();

  const addToCount = (conversation: number, seq: number, sender: number, messages: number): void => {
    const buckets = entry(counted, conversation, () => new Map<number, Map<number, number>>());
    const senders = entry(buckets, bucketOf(seq), () => new Map<number, number>());
    senders.set(sender, (senders.get(sender) ?? 0) + messages);
  };
  /** Undefined: it is deleted, and stays so. */
  const toChange = (conversation: number, seq: number): Row | undefined => {
    const row = find.get(conversation, seq);
    if (row === undefined) throw new Unprojectable(`there is no message ${seq} to change`);
    return row['state'] === messageState.deleted ? undefined : row;
  };
  const clear = (): void => {
    own.clear();
    counted.clear();
  };

  return {
    sent({ seq, revision, messageId, by, time, content, replyTo }, conversation, place) {
      const sender = numbers.ofUser(by);
      const { state, text } = stored(numbers.isErased(by) ? null : content);
      const id = uuidBytes(messageId);
      send.run(
        place,
        conversation,
        seq,
        sender,
        state,
        id,
        time - timeOfUuid(messageId),
        replyTo,
        revision - seq,
        text,
      );
      addToCount(conversation, seq, sender, 1);
      entry(own, conversation, () => new Map<number, { seq: number; time: number }>()).set(sender, { seq, time });
    },
    edited({ seq, content, version, time }, conversation, place) {
      const row = toChange(conversation, seq);
      if (row === undefined) return;
      const { state, text } = stored(row['erased'] === 1 ? null : content);
      const message = numberIn(row, 'place');
      setContent.run(state, text, message);
      changed.run(message, conversation, place, version, time);
    },
    deleted({ seq, version, time }, conversation, place) {
      const row = toChange(conversation, seq);
      if (row === undefined) return;
      const message = numberIn(row, 'place');
      setContent.run(messageState.deleted, null, message);
      changed.run(message, conversation, place, version, time);
      addToCount(conversation, seq, numberIn(row, 'sender'), -1);
    },
    flush() {
      for (const [no, users] of own) for (const [user, { seq, time }] of users) markOwn.run(no, user, seq, time);
      for (const [no, buckets] of counted) {
        for (const [bucket, senders] of buckets) {
          for (const [sender, messages] of senders) if (messages !== 0) count.run(no, bucket, sender, messages);
        }
      }
      clear();
    },
    clear,
    forget(conversation) {
      for (const table of ['message', 'change', 'sent']) {
        db.prepare(`DELETE FROM ${table} WHERE conversation = ?`).run(conversation);
      }
      db.prepare('UPDATE mark SET own = 0, own_at = NULL WHERE conversation = ?').run(conversation);
    },
  };
};
