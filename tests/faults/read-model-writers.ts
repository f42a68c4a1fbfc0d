import { openSqliteInboxWriter } from '../../projections/sqlite-inbox.ts';
import { openSqliteSearchWriter } from '../../projections/sqlite-search.ts';

/** The read models that are files of the process that writes them. */
export const openWriter = { inbox: openSqliteInboxWriter, search: openSqliteSearchWriter } as const;
export type ReadModelName = keyof typeof openWriter;

export const isReadModel = (name: string): name is ReadModelName => Object.hasOwn(openWriter, name);
