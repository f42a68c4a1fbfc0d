import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { ConversationId, UserId } from '../schemas/ids.ts';
import { idBytes } from './inbox-codes.ts';
import { numberIn } from './sqlite-inbox-file.ts';

/** The short numbers by which rows of the inbox name conversations and people, given at the first mention. */
export interface SqliteNumbers {
  ofConversation(id: ConversationId): number;
  ofUser(id: UserId): number;
  isErased(id: UserId): boolean;
  erased(id: UserId): void;
  /** After a rollback, which may have taken numbers back. */
  forget(): void;
}

const mostRemembered = 100_000;

export const sqliteNumbers = (db: DatabaseSync): SqliteNumbers => {
  const conversations = new Map<ConversationId, number>();
  const users = new Map<UserId, { readonly no: number; readonly erased: boolean }>();
  const findConversation = db.prepare('SELECT no FROM conversation WHERE id = ?');
  const findUser = db.prepare('SELECT no, erased FROM user WHERE id = ?');
  const newConversation = db.prepare('INSERT INTO conversation (id) VALUES (?) RETURNING no');
  const newUser = db.prepare('INSERT INTO user (id) VALUES (?) RETURNING no, erased');

  const remember = <K, V>(map: Map<K, V>, key: K, value: V): V => {
    if (map.size >= mostRemembered) map.clear();
    map.set(key, value);
    return value;
  };
  const rowOf = (find: StatementSync, create: StatementSync, id: string) => {
    const bytes = idBytes(id);
    const row = find.get(bytes) ?? create.get(bytes);
    if (row === undefined) throw new Error('a row that was inserted has no number');
    return row;
  };
  const user = (id: UserId): { readonly no: number; readonly erased: boolean } => {
    const known = users.get(id);
    if (known !== undefined) return known;
    const row = rowOf(findUser, newUser, id);
    return remember(users, id, { no: numberIn(row, 'no'), erased: row['erased'] === 1 });
  };

  return {
    ofConversation: (id) =>
      conversations.get(id) ??
      remember(conversations, id, numberIn(rowOf(findConversation, newConversation, id), 'no')),
    ofUser: (id) => user(id).no,
    isErased: (id) => user(id).erased,
    erased: (id) => void users.set(id, { no: user(id).no, erased: true }),
    forget() {
      conversations.clear();
      users.clear();
    },
  };
};
