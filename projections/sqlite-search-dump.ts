import type { DatabaseSync } from 'node:sqlite';
import { blobOf, contentTypes, idOf } from './sqlite-search-file.ts';

/** Where a page of a dump begins: behind a user, or behind a message of a conversation. */
export type DumpPage =
  | { readonly of: 'users'; readonly after: string | null }
  | { readonly of: 'messages'; readonly conversation: string | null; readonly seq: number };

export interface DumpedPage {
  readonly lines: readonly string[];
  /** null: it was the last one. */
  readonly next: DumpPage | null;
}

export const firstDumpPage: DumpPage = { of: 'users', after: null };

const linesOfPage = 1_000;

/**
 * In the order of the bytes of ids, for keys are given in the order of arrival. Users: what they are members of and whom
 * they block; then the messages. Terms are a function of a message's content.
 */
export const dumpPage = (db: DatabaseSync, page: DumpPage): DumpedPage =>
  page.of === 'users' ? dumpUsers(db, page.after) : dumpMessages(db, page.conversation, page.seq);

const behind = (id: string | null): Uint8Array => (id === null ? new Uint8Array() : blobOf(id));

const dumpUsers = (db: DatabaseSync, after: string | null): DumpedPage => {
  const users = db.prepare('SELECT key, id FROM users WHERE id > ? ORDER BY id');
  const memberOf = db.prepare(`SELECT id, visible_from FROM members JOIN conversations ON key = conversation
    WHERE user = ? ORDER BY id`);
  const blocks = db.prepare('SELECT id FROM blocks JOIN users ON key = blocked WHERE user = ? ORDER BY id');
  const lines: string[] = [];
  for (const { key, id } of users.iterate(behind(after))) {
    const user = idOf(id);
    if (key === undefined) continue;
    for (const row of memberOf.iterate(key)) lines.push(line('member', user, idOf(row['id']), row['visible_from']));
    for (const row of blocks.iterate(key)) lines.push(line('block', user, idOf(row['id'])));
    if (lines.length >= linesOfPage) return { lines, next: { of: 'users', after: user } };
  }
  return { lines, next: { of: 'messages', conversation: null, seq: 0 } };
};

const dumpMessages = (db: DatabaseSync, conversation: string | null, seq: number): DumpedPage => {
  const conversations = db.prepare('SELECT key, id FROM conversations WHERE id >= ? ORDER BY id');
  const messages = db.prepare(`SELECT seq, id AS sender, time, type, content
    FROM messages JOIN users ON key = sender AND erased = 0 WHERE conversation = ? AND seq > ? ORDER BY seq`);
  const lines: string[] = [];
  for (const { key, id } of conversations.iterate(behind(conversation))) {
    const name = idOf(id);
    if (key === undefined) continue;
    for (const row of messages.iterate(key, name === conversation ? seq : 0)) {
      const { sender, time, type, content } = row;
      lines.push(line('message', name, row['seq'], idOf(sender), time, contentTypes[Number(type)], content));
      if (lines.length >= linesOfPage) {
        return { lines, next: { of: 'messages', conversation: name, seq: Number(row['seq']) } };
      }
    }
  }
  return { lines, next: null };
};

const line = (...fields: readonly unknown[]): string => JSON.stringify(fields);
