import { createHmac } from 'node:crypto';
import type { AccountsStore } from '../command-side/accounts-store.ts';
import type { MessageSearch } from '../projections/search.ts';

/** Rises whenever the same log gives other rows: then it is built anew. */
export const searchVersion = { sqlite: 3, elasticsearch: 1 } as const;
/** After this long a search stops with what it has. */
export const searchBudgetMs = 200;

/** While none is open, what is asked rejects. */
export const liveSearch = (live: () => MessageSearch): MessageSearch => ({
  search: async (request) => live().search(request),
  // The versions close what they opened.
  close: () => Promise.resolve(),
});

/** Another installation on the same server is never taken for this one. The install key itself is a secret. */
export const searchNames = (prefix: string, { installKey }: Pick<AccountsStore, 'installKey'>): string =>
  `${prefix}-search-${createHmac('sha256', installKey).update('search').digest('hex').slice(0, 16)}`;
