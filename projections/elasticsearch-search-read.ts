import type { Client, estypes } from '@elastic/elasticsearch';
import type { UserId } from '../schemas/ids.ts';
import { findInText, parseQuery, type SearchQuery } from '../schemas/search-query.ts';
import { kindOf, subjectOf } from '../schemas/streams.ts';
import { withoutRequest } from './elasticsearch-connection.ts';
import {
  conversationIn,
  hexOf,
  userIn,
  type BlockDocument,
  type MemberDocument,
  type MessageDocument,
} from './elasticsearch-search-documents.ts';
import { kinds, type IndexAlias } from './elasticsearch-search-index.ts';
import { queriesFor, type Clause } from './elasticsearch-search-query.ts';
import { readState, type IndexState } from './elasticsearch-search-state.ts';
import { decodeSearchCursor, encodeSearchCursor, searchedText } from './project-search.ts';
import { mostHits, type MessageSearch, type SearchAnswer, type SearchHit, type SearchRequest } from './search.ts';

export interface SearchReaderDeps {
  readonly client: Client;
  readonly alias: IndexAlias;
  /** After this long a search stops with what it has, between two of its queries. */
  readonly budgetMs: number;
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
}

const page = 1_000;
/** A person does not wait longer; what the server does with a query that is given up is its own affair. */
const answerMs = 5_000;

/** The end that is asked, of a version that a writer has opened. */
export const searchIndexReader = ({ client, alias, budgetMs, now }: SearchReaderDeps): MessageSearch => {
  const options = { requestTimeout: answerMs };

  /** All documents of a query, in the order of a field of its own. */
  const all = async <Found>(filter: Clause[], by: string & keyof Found): Promise<Found[]> => {
    const found: Found[] = [];
    for (let after: estypes.SortResults | undefined; ;) {
      const { hits } = await client.search<Found>(
        {
          ...{ index: alias, size: page, track_total_hits: false, query: { bool: { filter } } },
          ...{ sort: [{ [by]: 'asc' }], ...(after !== undefined && { search_after: after }) },
        },
        options,
      );
      for (const { _source: one } of hits.hits) if (one !== undefined) found.push(one);
      after = hits.hits.at(-1)?.sort;
      if (hits.hits.length < page || after === undefined) return found;
    }
  };
  /** Of some conversations only, or of all that the user has. */
  const membershipsOf = (user: UserId, conversations: readonly string[] | undefined): Promise<MemberDocument[]> => {
    const mine = [{ term: { kind: kinds.member } }, { term: { user: hexOf(user) } }];
    const among = conversations === undefined ? [] : [{ terms: { conversation: [...conversations] } }];
    return all<MemberDocument>([...mine, ...among], 'conversation');
  };
  const blockedBy = async (user: UserId): Promise<string[]> =>
    (await all<BlockDocument>([{ term: { kind: kinds.block } }, { term: { user: hexOf(user) } }], 'blocked')).map(
      ({ blocked }) => blocked,
    );

  /** The newest messages of several queries. */
  const newest = async (queries: readonly Clause[], size: number): Promise<MessageDocument[]> => {
    let found: MessageDocument[] = [];
    for (const query of queries) {
      const { hits } = await client.search<MessageDocument>(
        {
          ...{ index: alias, size, track_total_hits: false, _source_excludes: ['words'] },
          ...{ query, sort: [{ place: 'desc' }] },
        },
        options,
      );
      for (const { _source: one } of hits.hits) if (one !== undefined) found.push(one);
      if (queries.length > 1) found = found.toSorted((one, other) => other.place - one.place).slice(0, size);
    }
    return found;
  };

  /** Who left while the search ran gets nothing that came after. */
  const stillSeen = async (user: UserId, found: readonly MessageDocument[]): Promise<readonly MessageDocument[]> => {
    if (found.length === 0) return [];
    const conversations = [...new Set(found.map(({ conversation }) => conversation))];
    const now = new Map((await membershipsOf(user, conversations)).map((one) => [one.conversation, one.visibleFrom]));
    return found.filter(({ conversation, seq }) => seq > (now.get(conversation) ?? Infinity));
  };

  const search = async (request: SearchRequest, query: SearchQuery, from: number): Promise<SearchAnswer> => {
    const deadline = now() + budgetMs;
    const { user, filters } = request;
    const limit = Math.min(Math.max(Math.trunc(request.limit), 1), mostHits);
    const state = await readState(client, alias);
    const parked = parkedIn(state);
    const asked = filters.conversationId === undefined ? undefined : hexOf(filters.conversationId);
    const [mine, blocked] = await Promise.all([
      membershipsOf(user, asked === undefined ? undefined : [asked, ...parked]),
      blockedBy(user),
    ]);
    const answer = {
      outcome: 'found',
      complete: !mine.some(({ conversation }) => parked.has(conversation)),
      indexedThrough: state.position,
    } as const;
    const chats = mine.filter(
      ({ conversation }) => !parked.has(conversation) && (asked ?? conversation) === conversation,
    );

    const hits: SearchHit[] = [];
    for (let below = from; ;) {
      const queries = queriesFor({ query, filters, blocked, erasing: state.erasing, below }, chats);
      const candidates = await newest(queries, limit);
      for (const candidate of await stillSeen(user, candidates)) {
        const hit = hitOf(candidate, query);
        if (hit !== undefined) hits.push(hit);
        if (hits.length === limit) return { ...answer, hits, nextCursor: encodeSearchCursor(candidate.place) };
      }
      below = candidates.at(-1)?.place ?? 0;
      if (candidates.length < limit) return { ...answer, hits, nextCursor: null };
      if (now() >= deadline) return { ...answer, hits, nextCursor: encodeSearchCursor(below), complete: false };
    }
  };

  const underWay = new Set<Promise<unknown>>();
  return {
    async search(request) {
      const query = parseQuery(request.text);
      if (typeof query === 'string') return { outcome: 'refused', why: query };
      const from = request.cursor === null ? Number.MAX_SAFE_INTEGER : decodeSearchCursor(request.cursor);
      if (from === undefined) return { outcome: 'refused', why: 'bad_cursor' };
      const answer = search(request, query, from).catch((error: unknown) => {
        throw withoutRequest(error);
      });
      underWay.add(answer);
      try {
        return await answer;
      } finally {
        underWay.delete(answer);
      }
    },
    async close() {
      await Promise.allSettled(underWay);
    },
  };
};

const parkedIn = ({ parked }: IndexState): ReadonlySet<string> =>
  new Set(parked.flatMap(({ stream }) => (kindOf(stream) === 'conversation' ? [hexOf(subjectOf(stream))] : [])));

const hitOf = (found: MessageDocument, query: SearchQuery): SearchHit | undefined => {
  const { conversation, seq, sender, time, content } = found;
  const highlights = findInText(query, searchedText(content));
  if (highlights === undefined) return undefined;
  return { conversationId: conversationIn(conversation), seq, by: userIn(sender), time, content, highlights };
};
