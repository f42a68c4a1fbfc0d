import type { ReadModelWriter } from '../projections/read-model.ts';
import {
  mostHits,
  type MessageSearch,
  type SearchFilters,
  type SearchFound,
  type SearchHit,
} from '../projections/search.ts';
import type { UserId } from '../schemas/ids.ts';
import { batchOf, someConversation, someUser, type SearchHistory } from './search-history.ts';

export interface SearchUnderTest {
  /** Opens the same index again; `budgetMs` of 0 stops a search as early as it may. */
  open(budgetMs: number): Promise<Opened>;
  /** Another index, empty. */
  fresh(): Promise<SearchUnderTest>;
  remove(): Promise<void>;
}

export const [ann, bob, cyd, dan] = [someUser(1), someUser(2), someUser(3), someUser(4)];
export const [chat, other] = [someConversation(1), someConversation(2)];
export const longBudget = 60_000;

/** An index that is open. */
export interface Opened {
  readonly writer: ReadModelWriter;
  readonly search: MessageSearch;
}

export const applyAll = async ({ writer }: Opened, { events }: SearchHistory): Promise<void> => {
  await writer.apply(batchOf(events));
};

export interface Asked extends SearchFilters {
  readonly limit?: number;
  readonly cursor?: string | null;
}

export const ask = async ({ search }: Opened, user: UserId, text: string, asked: Asked = {}): Promise<SearchFound> => {
  const { limit = mostHits, cursor = null, ...filters } = asked;
  const answer = await search.search({ user, text, filters, cursor, limit });
  if (answer.outcome !== 'found') throw new Error(answer.why);
  return answer;
};

/** All pages. */
export const askAll = async (opened: Opened, user: UserId, text: string, asked: Asked = {}): Promise<SearchHit[]> => {
  const hits: SearchHit[] = [];
  let cursor: string | null = null;
  do {
    const page: SearchFound = await ask(opened, user, text, { ...asked, cursor });
    hits.push(...page.hits);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return hits;
};

export const seqs = ({ hits }: { readonly hits: readonly SearchHit[] }): number[] => hits.map(({ seq }) => seq);
export const linesOf = async ({ writer }: Opened): Promise<string[]> => {
  const lines: string[] = [];
  for await (const line of writer.dump()) lines.push(line);
  return lines;
};

export const closeIndex = async ({ writer, search }: Opened): Promise<void> => {
  await search.close();
  await writer.close();
};
