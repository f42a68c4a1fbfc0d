import type { MessageContent } from '../schemas/content.ts';
import type { ConversationId, Seq, UserId } from '../schemas/ids.ts';
import type { TextRange } from '../schemas/search-query.ts';
import type { AppliedPosition } from './read-model.ts';

/**
 * Finds messages by their words. What is written comes through `ReadModelWriter`; this is the side that is asked.
 *
 * Access: whether a caller may find a message is decided inside each query, by the membership that the index holds at
 * that moment: the caller is a member of its conversation and its seq lies after the `visibleFrom` of the present
 * membership. What the caller may not see does not show in hits, counts, highlights, cursors or `complete`; a
 * conversation that is not there, one that is not the caller's and one without a hit give the same answer.
 * Messages of people whom the caller blocks at that moment are not found; after unblocking they are.
 *
 * Text: a message is found by its newest content. Text that was edited away, deleted or erased is not found, from the
 * position of that event on. Words are those of schemas/tokenizer.ts and a query means what schemas/search-query.ts
 * makes of it: each of its words must stand in the message, in any order; the last one may be the beginning of a word.
 * Nothing that a person types is syntax. Of a location, the label is searched.
 *
 * Every adapter gives the same hits in the same order: `search.contract.ts`.
 */
export interface MessageSearch {
  /**
   * The caller's newest matching messages, newest first: in the order of the log, which an edit does not change.
   * Rejects only when the store cannot be reached.
   */
  search(request: SearchRequest): Promise<SearchAnswer>;

  /** Searches under way are answered first; then it gives back what it holds. Repeating it changes nothing. */
  close(): Promise<void>;
}

export interface SearchRequest {
  readonly user: UserId;
  /** What the person typed, any string: normalising, folding and splitting are the index's part. */
  readonly text: string;
  readonly filters: SearchFilters;
  /** `nextCursor` of an earlier answer to the same text and filters, or null to begin with the newest message. */
  readonly cursor: string | null;
  /** From 1 to `mostHits`; what lies outside is taken as the nearest bound. */
  readonly limit: number;
}

/** All that are present must hold. */
export interface SearchFilters {
  readonly conversationId?: ConversationId;
  /** Only messages this user wrote. */
  readonly sender?: UserId;
  /** Only messages sent earlier than this time in milliseconds. */
  readonly before?: number;
  /** Only messages sent at this time in milliseconds or later. */
  readonly after?: number;
  /** Only messages whose newest content is of this type. */
  readonly type?: MessageContent['type'];
}

export const mostHits = 100;

export type SearchAnswer = SearchFound | SearchRefused;

export interface SearchFound {
  readonly outcome: 'found';
  readonly hits: readonly SearchHit[];
  /**
   * Where to go on; null: there is nothing more. Pages follow one another without a gap or a double however many
   * messages arrive in between: those are newer than the first page and are found by a search without a cursor.
   * An answer with a cursor may hold fewer hits than `limit`, or none.
   */
  readonly nextCursor: string | null;
  /**
   * Whether the page is all it should be: `limit` hits, or all there are. False when the search was stopped (a
   * word in a great part of all messages, 200 ms): hits are right as far as they go and `nextCursor` goes on. False
   * also while a conversation of the caller's is parked (`ReadModelWriter`): nothing of it is found until it is whole.
   */
  readonly complete: boolean;
  /**
   * Up to where in the log this answer saw everything: what a search can see, not what was written. null: nothing yet.
   * A caller that must see its own write compares `place`, and asks again later or answers `read_model_behind`.
   */
  readonly indexedThrough: AppliedPosition | null;
}

/** The query cannot be asked; nothing was searched and the same query will be refused again. */
export interface SearchRefused {
  readonly outcome: 'refused';
  readonly why: SearchRefusal;
}

/**
 * - `no_words`: no letter, digit, ideograph or emoji in the text: it is empty, or spaces and punctuation.
 * - `too_long`: more than `longestQuery` code points.
 * - `bad_cursor`: not a cursor of this search.
 */
export type SearchRefusal = 'no_words' | 'too_long' | 'bad_cursor';

/** A message found, named by its conversation and its seq. */
export interface SearchHit {
  readonly conversationId: ConversationId;
  readonly seq: Seq;
  readonly by: UserId;
  /** When it was sent: the server's time in milliseconds. */
  readonly time: number;
  /** The newest content, complete. */
  readonly content: MessageContent;
  /**
   * The parts of the text (of a location: of its label) that match, as `[start, end)` in UTF-16 code units: in order,
   * without overlap, inside the text, at most `mostHighlights`. Never empty.
   */
  readonly highlights: readonly TextRange[];
}
