import type { DatabaseSync } from 'node:sqlite';
import type { MessageContent } from '../schemas/content.ts';
import { tokenize } from '../schemas/tokenizer.ts';
import { searchedText, type SearchChange } from './project-search.ts';
import {
  blobOf,
  chatTerm,
  contentIn,
  contentTypes,
  createTermsTable,
  erasure,
  shardOf,
  shardState,
  storedContent,
  termsTable,
} from './sqlite-search-file.ts';

export interface SearchRows {
  /** `place` is that of the change's event. */
  apply(change: SearchChange, place: number): void;
  /** Forgets the messages and members of a conversation, or the blocks of a user. */
  forgetConversation(conversationId: string): void;
  forgetUser(userId: string): void;
  /** Whether the conversation's messages wait to be right again. */
  setParked(conversationId: string, parked: boolean): void;
  /** Whether anything that an erased person wrote lies here still. */
  holdsErased(): boolean;
  /** Takes a part of it away. */
  eraseSome(): void;
  /** What was remembered of rows that a rollback took away. */
  forgetCached(): void;
}

/** Looked through at once for what one who was erased wrote. */
const placesOfSlice = 8_192;

interface TermsStatements {
  readonly insert: (place: number, words: string) => void;
  /** `words` must be those that were inserted. */
  readonly remove: (place: number, words: string) => void;
}

const termsOf = (content: MessageContent, conversation: number): string => {
  let terms = chatTerm(conversation);
  for (const { term } of tokenize(searchedText(content))) terms += ` ${term}`;
  return terms;
};

/** The rows of the index, inside the transaction of whoever calls. */
export const searchRows = (db: DatabaseSync): SearchRows => {
  const userKey = keysOf(db, 'users');
  const conversationKey = keysOf(db, 'conversations');
  const shards = new Map<number, TermsStatements>();
  const addShard = db.prepare('INSERT INTO shards (shard, state) VALUES (?, 0) ON CONFLICT DO NOTHING');
  const markRemoved = db.prepare(`UPDATE shards SET state = ${shardState.holdsRemoved} WHERE shard = ? AND state = 0`);
  const purgeAll = db.prepare(`UPDATE shards SET state = ${shardState.toPurge} WHERE state > 0`);
  const addMember = db.prepare('INSERT OR REPLACE INTO members VALUES (?, ?, ?)');
  const removeMember = db.prepare('DELETE FROM members WHERE user = ? AND conversation = ?');
  const removeMembers = db.prepare('DELETE FROM members WHERE conversation = ?');
  const addBlock = db.prepare('INSERT OR REPLACE INTO blocks VALUES (?, ?)');
  const removeBlock = db.prepare('DELETE FROM blocks WHERE user = ? AND blocked = ?');
  const removeBlocks = db.prepare('DELETE FROM blocks WHERE user = ?');
  const addMessage = db.prepare('INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?)');
  const removed = 'place, conversation, type, content';
  const findMessage = db.prepare(`SELECT ${removed} FROM messages WHERE conversation = ? AND seq = ?`);
  const replaceContent = db.prepare('UPDATE messages SET type = ?, content = ? WHERE place = ?');
  const removeMessage = db.prepare(`DELETE FROM messages WHERE conversation = ? AND seq = ? RETURNING ${removed}`);
  const setErased = db.prepare('UPDATE users SET erased = ? WHERE key = ?');
  const selectErased = db.prepare('SELECT key FROM users WHERE erased > 0');
  const nextErased = db.prepare(`SELECT key FROM users WHERE erased = ${erasure.goes} LIMIT 1`);
  const lastPlace = db.prepare('SELECT max(place) AS place FROM messages');
  const removeSomeOf = db.prepare(`DELETE FROM messages WHERE place >= ? AND place < ? AND sender = ?
    RETURNING ${removed}`);
  const removeConversation = db.prepare(`DELETE FROM messages WHERE conversation = ? RETURNING ${removed}`);
  const park = db.prepare('UPDATE conversations SET parked = ? WHERE key = ?');

  /** Up to where the messages of one who was erased have been looked through. */
  let erasing: { readonly user: number; from: number } | undefined;
  let erasedUsers: Set<number> | undefined;
  const isErased = (user: number): boolean => {
    erasedUsers ??= new Set(selectErased.all().map((row) => Number(row['key'])));
    return erasedUsers.has(user);
  };

  const terms = (place: number): TermsStatements => {
    const shard = shardOf(place);
    const prepared = shards.get(shard);
    if (prepared !== undefined) return prepared;
    if (addShard.run(shard).changes === 1) db.exec(createTermsTable(shard));
    const insert = db.prepare(`INSERT INTO ${termsTable(shard)} (rowid, words) VALUES (?, ?)`);
    const table = termsTable(shard);
    const remove = db.prepare(`INSERT INTO ${table} (${table}, rowid, words) VALUES ('delete', ?, ?)`);
    const statements: TermsStatements = {
      insert: (at, words) => void insert.run(at, words),
      remove: (at, words) => void remove.run(at, words),
    };
    shards.set(shard, statements);
    return statements;
  };
  /** Of a row as it was. */
  const removeTerms = (row: Record<string, unknown>): void => {
    const place = Number(row['place']);
    terms(place).remove(place, termsOf(contentIn(row['type'], row['content']), Number(row['conversation'])));
    markRemoved.run(shardOf(place));
  };
  /** Gone from the disk too when the transaction is done, with what was edited away and deleted before. */
  const erase = (rows: readonly Record<string, unknown>[]): void => {
    for (const row of rows) removeTerms(row);
    purgeAll.run();
  };

  return {
    apply(change, place) {
      switch (change.change) {
        case 'message-sent': {
          const { content, seq, time } = change;
          const conversation = conversationKey.of(change.conversationId);
          const sender = userKey.of(change.by);
          // It was under way when its author was erased: its key is gone soon, and a rebuild will not see it.
          if (isErased(sender)) return;
          addMessage.run(
            ...[place, conversation, seq, sender, time],
            ...[contentTypes.indexOf(content.type), storedContent(content)],
          );
          terms(place).insert(place, termsOf(content, conversation));
          return;
        }
        case 'message-edited': {
          const { content, seq } = change;
          const conversation = conversationKey.of(change.conversationId);
          const row = findMessage.get(conversation, seq);
          if (row === undefined) return;
          const at = Number(row['place']);
          removeTerms(row);
          replaceContent.run(contentTypes.indexOf(content.type), storedContent(content), at);
          terms(at).insert(at, termsOf(content, conversation));
          return;
        }
        case 'message-gone': {
          const row = removeMessage.get(conversationKey.of(change.conversationId), change.seq);
          if (row !== undefined) removeTerms(row);
          return;
        }
        case 'member-joined': {
          const conversation = conversationKey.of(change.conversationId);
          addMember.run(userKey.of(change.userId), conversation, change.visibleFrom);
          return;
        }
        case 'member-gone':
          removeMember.run(userKey.of(change.userId), conversationKey.of(change.conversationId));
          return;
        case 'blocked':
          addBlock.run(userKey.of(change.by), userKey.of(change.userId));
          return;
        case 'unblocked':
          removeBlock.run(userKey.of(change.by), userKey.of(change.userId));
          return;
        case 'author-erased': {
          setErased.run(erasure.goes, userKey.of(change.userId));
          erasedUsers = undefined;
          return;
        }
      }
    },
    forgetConversation(conversationId) {
      const conversation = conversationKey.of(conversationId);
      removeMembers.run(conversation);
      erase(removeConversation.all(conversation));
    },
    forgetUser: (userId) => void removeBlocks.run(userKey.of(userId)),
    setParked: (conversationId, parked) => void park.run(parked ? 1 : 0, conversationKey.of(conversationId)),
    holdsErased: () => nextErased.get() !== undefined,
    eraseSome() {
      const user = Number(nextErased.get()?.['key']);
      if (user !== erasing?.user) erasing = { user, from: 0 };
      erase(removeSomeOf.all(erasing.from, erasing.from + placesOfSlice, user));
      erasing.from += placesOfSlice;
      if (erasing.from <= Number(lastPlace.get()?.['place'] ?? 0)) return;
      setErased.run(erasure.gone, user);
      erasing = undefined;
    },
    forgetCached() {
      erasing = undefined;
      userKey.forgetCached();
      conversationKey.forgetCached();
      erasedUsers = undefined;
      shards.clear();
    },
  };
};

const mostCachedKeys = 50_000;

const keysOf = (db: DatabaseSync, table: 'users' | 'conversations') => {
  const cached = new Map<string, number>();
  const find = db.prepare(`SELECT key FROM ${table} WHERE id = ?`);
  const add = db.prepare(`INSERT INTO ${table} (id) VALUES (?) RETURNING key`);
  return {
    of(id: string): number {
      const known = cached.get(id);
      if (known !== undefined) return known;
      const blob = blobOf(id);
      const key = Number((find.get(blob) ?? add.get(blob))?.['key']);
      if (cached.size >= mostCachedKeys) cached.clear();
      cached.set(id, key);
      return key;
    },
    forgetCached: () => cached.clear(),
  };
};
