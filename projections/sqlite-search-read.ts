import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { ConversationId, UserId } from '../schemas/ids.ts';
import { findInText, parseQuery, type SearchQuery } from '../schemas/search-query.ts';
import { decodeSearchCursor, encodeSearchCursor, searchedText } from './project-search.ts';
import { mostHits, type SearchAnswer, type SearchHit, type SearchRequest } from './search.ts';
import {
  blobOf,
  chatTerm,
  contentIn,
  contentTypes,
  firstPlaceOf,
  idOf,
  shardOf,
  termsTable,
} from './sqlite-search-file.ts';
import { readPosition } from './sqlite-search-write.ts';

/** Of a member of more conversations the index is asked for the words alone: a long OR costs more than it saves. */
const mostChatTerms = 64;
/** Words in fewer messages of a shard than this are looked up faster without the conversations. */
const fewMessages = 64;
const mostPreparedShards = 256;

interface ShardStatements {
  readonly newest: StatementSync;
  /** A row if the words stand in more messages than the number. */
  readonly atLeast: StatementSync;
}

/** Reads one consistent state of the file for each search. `now` is monotonic, in milliseconds. */
export const searchReader = (
  db: DatabaseSync,
  budgetMs: number,
  now: () => number,
): ((request: SearchRequest) => SearchAnswer) => {
  const position = readPosition(db);
  const userKey = db.prepare('SELECT key FROM users WHERE id = ?');
  const conversationKey = db.prepare('SELECT key FROM conversations WHERE id = ?');
  const chats = db.prepare(`SELECT conversation FROM members WHERE user = ?
    AND (? IS NULL OR conversation = ?) LIMIT ${mostChatTerms + 1}`);
  const waiting = db.prepare(`SELECT 1 FROM members JOIN conversations ON key = conversation
    WHERE user = ? AND parked = 1 LIMIT 1`);
  const shardsBelow = db.prepare('SELECT shard FROM shards WHERE shard <= ? ORDER BY shard DESC');
  const shards = new Map<number, ShardStatements>();

  const inShard = (shard: number): ShardStatements => {
    const prepared = shards.get(shard);
    if (prepared !== undefined) return prepared;
    if (shards.size >= mostPreparedShards) shards.clear();
    const table = termsTable(shard);
    const statements = {
      newest: db.prepare(newestInShard(table)),
      atLeast: db.prepare(`SELECT 1 FROM ${table} WHERE ${table} MATCH ? LIMIT 1 OFFSET ?`),
    };
    shards.set(shard, statements);
    return statements;
  };
  const keyOf = (select: StatementSync, id: string | undefined): number | null =>
    id === undefined ? null : Number(select.get(blobOf(id))?.['key'] ?? unknownKey);

  const search = (request: SearchRequest, query: SearchQuery, below: number): SearchAnswer => {
    const deadline = now() + budgetMs;
    const { filters } = request;
    const limit = Math.min(Math.max(Math.trunc(request.limit), 1), mostHits);
    const user = keyOf(userKey, request.user);
    const conversation = keyOf(conversationKey, filters.conversationId);
    const indexedThrough = position() ?? null;
    const mine = chats.all(user, conversation, conversation).map((row) => Number(row['conversation']));
    const whole = waiting.get(user) === undefined;
    const nothing = { outcome: 'found', hits: [], nextCursor: null, complete: whole, indexedThrough } as const;
    if (mine.length === 0) return nothing;

    const words = wordsOf(query);
    const narrowed = mine.length <= mostChatTerms ? inChats(words, mine) : words;
    let areCommon = false;
    const parameters = {
      ...{ user, conversation, sender: keyOf(userKey, filters.sender) },
      ...{
        before: filters.before ?? null,
        after: filters.after ?? null,
        type: filters.type === undefined ? null : contentTypes.indexOf(filters.type),
      },
    };
    const hits: SearchHit[] = [];
    const stopped = (place: number) =>
      ({ ...nothing, hits, nextCursor: encodeSearchCursor(place), complete: false }) as const;
    for (const row of shardsBelow.all(shardOf(below - 1))) {
      const shard = Number(row['shard']);
      const { newest, atLeast } = inShard(shard);
      areCommon ||= atLeast.get(words, fewMessages - 1) !== undefined;
      for (const found of newest.iterate({ ...parameters, match: areCommon ? narrowed : words, below })) {
        const hit = hitOf(found, query);
        if (hit !== undefined) hits.push(hit);
        if (hits.length === limit) {
          return { ...nothing, hits, nextCursor: encodeSearchCursor(Number(found['place'])) };
        }
        if (now() >= deadline) return stopped(Number(found['place']));
      }
      if (now() >= deadline && firstPlaceOf(shard) > 0) return stopped(firstPlaceOf(shard));
    }
    return { ...nothing, hits };
  };

  return (request) => {
    const query = parseQuery(request.text);
    if (typeof query === 'string') return { outcome: 'refused', why: query };
    const below = request.cursor === null ? Number.MAX_SAFE_INTEGER : decodeSearchCursor(request.cursor);
    if (below === undefined) return { outcome: 'refused', why: 'bad_cursor' };
    db.exec('BEGIN');
    try {
      return search(request, query, below);
    } finally {
      db.exec('COMMIT');
    }
  };
};

/** No row has it: what is not there filters everything. */
const unknownKey = -1;

/** Access, blocks and filters are part of the query that walks the index: rows of others never come out of it. */
const newestInShard = (table: string): string => `
  SELECT m.place, c.id AS conversation, m.seq, u.id AS sender, m.time, m.type, m.content
  FROM ${table} AS t
  CROSS JOIN messages m ON m.place = t.rowid
  CROSS JOIN members a ON a.user = :user AND a.conversation = m.conversation AND m.seq > a.visible_from
  CROSS JOIN conversations c ON c.key = m.conversation AND c.parked = 0
  CROSS JOIN users u ON u.key = m.sender AND u.erased = 0
  WHERE t.${table} MATCH :match AND t.rowid < :below
    AND NOT EXISTS (SELECT 1 FROM blocks b WHERE b.user = :user AND b.blocked = m.sender)
    AND (:conversation IS NULL OR m.conversation = :conversation)
    AND (:sender IS NULL OR m.sender = :sender)
    AND (:before IS NULL OR m.time < :before) AND (:after IS NULL OR m.time >= :after)
    AND (:type IS NULL OR m.type = :type)
  ORDER BY t.rowid DESC`;

/**
 * The messages that hold every term of the query; whether those of a phrase stand together is seen in the text. Terms
 * hold no quote and no space (schemas/tokenizer.ts), and in quotes nothing of them is syntax.
 */
const wordsOf = (query: SearchQuery): string => {
  const words = query.flatMap(({ terms, prefix }) =>
    terms.map((term, at) => (prefix && at === terms.length - 1 ? `"${term}" *` : `"${term}"`)),
  );
  return [...new Set(words)].join(' AND ');
};

const inChats = (words: string, conversations: readonly number[]): string =>
  `(${words}) AND (${conversations.map((key) => `"${chatTerm(key)}"`).join(' OR ')})`;

const hitOf = (row: Record<string, unknown>, query: SearchQuery): SearchHit | undefined => {
  const content = contentIn(row['type'], row['content']);
  const highlights = findInText(query, searchedText(content));
  if (highlights === undefined) return undefined;
  return {
    conversationId: idOf(row['conversation']) as ConversationId,
    seq: Number(row['seq']),
    by: idOf(row['sender']) as UserId,
    time: Number(row['time']),
    content,
    highlights,
  };
};
