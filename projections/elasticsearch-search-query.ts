import type { estypes } from '@elastic/elasticsearch';
import type { UserId } from '../schemas/ids.ts';
import type { SearchQuery } from '../schemas/search-query.ts';
import { hexOf, type MemberDocument } from './elasticsearch-search-documents.ts';
import type { SearchFilters } from './search.ts';

export type Clause = NonNullable<estypes.QueryDslQueryContainer>;

/** A server takes so many values in one list everywhere, and so many clauses in one query. */
const mostChats = 1_000;
const mostJoinedLater = 200;

export interface Asked {
  readonly query: SearchQuery;
  readonly filters: SearchFilters;
  readonly blocked: readonly string[];
  readonly erasing: readonly UserId[];
  /** Only messages before this place of the log. */
  readonly below: number;
}

/**
 * Queries that together find what a person may find in these chats: more chats than one query takes are asked for in several.
 * Terms and ids come as values; there is no query language between.
 */
export const queriesFor = (asked: Asked, memberships: readonly MemberDocument[]): readonly Clause[] => {
  const filter = [...wordsOf(asked.query), ...filtersOf(asked)];
  const must_not = [{ terms: { sender: [...asked.blocked, ...asked.erasing.map(hexOf)] } }];
  return parts(memberships).map((part) => ({ bool: { filter: [...filter, inChats(part)], must_not } }));
};

/** Each term must stand in the message; whether those of a phrase stand together is seen in its text. */
const wordsOf = (query: SearchQuery): readonly Clause[] => {
  const [whole, beginnings] = [new Set<string>(), new Set<string>()];
  for (const { terms, prefix } of query) {
    for (const [at, term] of terms.entries()) (prefix && at === terms.length - 1 ? beginnings : whole).add(term);
  }
  return [
    ...[...whole].map((term) => ({ term: { words: term } })),
    ...[...beginnings].map((beginning) => ({ prefix: { words: beginning } })),
  ];
};

const filtersOf = ({ filters: { sender, before, after, type }, below }: Asked): readonly Clause[] => [
  { range: { place: { lt: below } } },
  ...(sender === undefined ? [] : [{ term: { sender: hexOf(sender) } }]),
  ...(before === undefined ? [] : [{ range: { time: { lt: before } } }]),
  ...(after === undefined ? [] : [{ range: { time: { gte: after } } }]),
  ...(type === undefined ? [] : [{ term: { type } }]),
];

/** Who was there from the beginning sees all; who came later sees what came after. */
const inChats = (memberships: readonly MemberDocument[]): Clause => {
  const fromTheBeginning = memberships.filter(({ visibleFrom }) => visibleFrom === 0);
  const later = memberships.filter(({ visibleFrom }) => visibleFrom > 0);
  return {
    bool: {
      should: [
        { terms: { conversation: fromTheBeginning.map(({ conversation }) => conversation) } },
        ...later.map(({ conversation, visibleFrom }) => ({
          bool: { filter: [{ term: { conversation } }, { range: { seq: { gt: visibleFrom } } }] },
        })),
      ],
      minimum_should_match: 1,
    },
  };
};

const parts = (memberships: readonly MemberDocument[]): readonly (readonly MemberDocument[])[] => {
  const found: MemberDocument[][] = [];
  let joinedLater = 0;
  for (const one of memberships) {
    const isLater = one.visibleFrom > 0 ? 1 : 0;
    const last = found.at(-1);
    if (last === undefined || last.length === mostChats || joinedLater + isLater > mostJoinedLater) {
      found.push([one]);
      joinedLater = isLater;
    } else {
      last.push(one);
      joinedLater += isLater;
    }
  }
  return found;
};
