import { errors, type Client } from '@elastic/elasticsearch';
import { z } from 'zod';
import type { UserId } from '../schemas/ids.ts';
import { logId } from '../schemas/position.ts';
import type { StreamName } from '../schemas/streams.ts';
import { exceptionIn } from './elasticsearch-connection.ts';
import { kinds, type IndexAlias } from './elasticsearch-search-index.ts';
import type { AppliedPosition, ParkedStream } from './read-model.ts';

/** How far a version of the index is, and what of it must not be shown. Written after what it speaks of can be found. */
export interface IndexState {
  /** null: nothing was applied yet. */
  readonly position: AppliedPosition | null;
  readonly parked: readonly ParkedStream[];
  /** Whose messages are being made stubs; no answer shows them any more. */
  readonly erasing: readonly UserId[];
}

/** The state with the place of its last write: nobody else may have written it since. */
export interface StoredState extends IndexState {
  readonly written: { readonly if_seq_no: number; readonly if_primary_term: number } | undefined;
}

const nothingApplied: StoredState = { position: null, parked: [], erasing: [], written: undefined };
const id = 'state';

/** The index itself is there, or the server would name it. */
const isMissingDocument = (error: unknown): boolean =>
  error instanceof errors.ResponseError && error.statusCode === 404 && exceptionIn(error) === undefined;

const stored = z.object({
  position: z
    .object({
      log: logId,
      n: z.int(),
      place: z.int(),
      event: z.object({ n: z.int(), eventId: z.string() }).nullable(),
    })
    .nullable(),
  parked: z.array(
    z.object({
      stream: z.string().transform((name) => name as StreamName),
      n: z.int(),
      revision: z.int(),
      error: z.string(),
    }),
  ),
  erasing: z.array(z.string().transform((user) => user as UserId)),
});

export const readState = async (client: Client, alias: IndexAlias): Promise<StoredState> => {
  try {
    const found = await client.get<{ readonly state: unknown }>({ index: alias, id, routing: id });
    const written = { if_seq_no: found._seq_no ?? 0, if_primary_term: found._primary_term ?? 0 };
    return { ...stored.parse(found._source?.state), written };
  } catch (error) {
    if (isMissingDocument(error)) return nothingApplied;
    throw error;
  }
};

/** Rejects where another process wrote it: two that follow would take each other's parked streams for their own. */
export const writeState = async (client: Client, alias: IndexAlias, state: StoredState): Promise<StoredState> => {
  const { written: before, ...document } = state;
  const condition = before ?? { op_type: 'create' as const };
  const written = await client.index({
    ...{ index: alias, id, routing: id, require_alias: true, ...condition },
    document: { kind: kinds.state, state: document },
  });
  return { ...document, written: { if_seq_no: written._seq_no ?? 0, if_primary_term: written._primary_term ?? 0 } };
};
