import type { Client } from '@elastic/elasticsearch';
import type { UserId } from '../schemas/ids.ts';
import type { StreamName } from '../schemas/streams.ts';
import { besideBatches } from './beside-batches.ts';
import { withoutRequest, type ElasticsearchWarn } from './elasticsearch-connection.ts';
import { writeDocuments } from './elasticsearch-search-bulk.ts';
import type { DocumentKey, MessageBase } from './elasticsearch-search-documents.ts';
import { freeze, type Frozen } from './elasticsearch-search-dump.ts';
import { eraseSome, readErased } from './elasticsearch-search-erasing.ts';
import { editedOfEarlier, projectBatch, writesOf, type PlacedChange } from './elasticsearch-search-fold.ts';
import { isMissingIndex, openIndex, type IndexAlias } from './elasticsearch-search-index.ts';
import { purge } from './elasticsearch-search-purge.ts';
import { readState, writeState, type IndexState, type StoredState } from './elasticsearch-search-state.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { unfinishedRefold, type AppliedPosition, type ParkedStream, type ReadModelWriter } from './read-model.ts';

export interface SearchIndexWriter extends ReadModelWriter {
  /** The index as it is between two batches. */
  freeze(): Promise<Frozen & { readonly position: AppliedPosition | undefined }>;
}

export interface SearchWriterDeps {
  readonly client: Client;
  readonly alias: IndexAlias;
  readonly warn: ElasticsearchWarn;
}

const baseFields = ['kind', 'conversation', 'seq', 'sender', 'time', 'place'];
const lookedUpAtOnce = 1_000;

/** Writes one version of the index, which is made when it is not there. */
export const openSearchIndexWriter = async ({ client, alias, warn }: SearchWriterDeps): Promise<SearchIndexWriter> => {
  await openIndex(client, alias);
  const closing = new AbortController();
  let known: { state: StoredState; readonly erased: Set<UserId> } | undefined;

  /** What went wrong may have been written nevertheless: everything is read anew. */
  const turns = oneAtATime((error) => {
    known = undefined;
    return withoutRequest(error);
  });
  const inTurn = turns.run;
  const load = async (): Promise<NonNullable<typeof known>> =>
    (known ??= { state: await readState(client, alias), erased: await readErased(client, alias) });
  const store = async (changed: Partial<IndexState>): Promise<void> => {
    const now = await load();
    now.state = await writeState(client, alias, { ...now.state, ...changed });
  };

  const lookUp = async (keys: readonly DocumentKey[]): Promise<ReadonlyMap<string, MessageBase>> => {
    const found = new Map<string, MessageBase>();
    for (let from = 0; from < keys.length; from += lookedUpAtOnce) {
      const docs = keys.slice(from, from + lookedUpAtOnce).map(({ id, routing }) => ({ _id: id, routing }));
      const answer = await client.mget<MessageBase>({ index: alias, docs, _source_includes: baseFields });
      for (const one of answer.docs) {
        if ('error' in one)
          throw new Error(`Elasticsearch could not look up a message: ${one.error.reason ?? one.error.type}`);
        if (one._source?.kind === 'message') found.set(one._id, one._source);
      }
    }
    return found;
  };
  /** Who was erased by it. */
  const write = async (changes: readonly PlacedChange[]): Promise<readonly UserId[]> => {
    const { erased } = await load();
    await writeDocuments(client, alias, writesOf(changes, await lookUp(editedOfEarlier(changes)), erased));
    return changes.flatMap(({ change }) => (change.change === 'author-erased' ? [change.userId] : []));
  };
  const withErasing = ({ erasing: before }: IndexState, added: readonly UserId[]): readonly UserId[] => [
    ...new Set([...before, ...added]),
  ];

  const eraseAll = async (): Promise<void> => {
    for (;;) {
      const { state } = await inTurn(load);
      const users = state.erasing;
      if (users.length === 0) return;
      for (const user of users) while (await eraseSome(client, alias, user)) closing.signal.throwIfAborted();
      await purge(client, alias, closing.signal);
      await inTurn(async () => {
        const { state: now } = await load();
        await store({ erasing: now.erasing.filter((user) => !users.includes(user)) });
      });
    }
  };
  const eraser = besideBatches(
    eraseAll,
    (error) =>
      warn(
        { err: withoutRequest(error) },
        'what was erased could not be taken out of the search index; it is tried again',
      ),
    closing.signal,
  );

  const replaceParked = async (stream: StreamName, parked: ParkedStream | undefined): Promise<void> => {
    const { state } = await load();
    const others = state.parked.filter((one) => one.stream !== stream);
    await store({ parked: parked === undefined ? others : [...others, parked] });
  };

  const writer: SearchIndexWriter = {
    position: () =>
      inTurn(async () => {
        known = undefined;
        try {
          await load();
        } catch (error) {
          // Somebody removed it under our hands: it is built again, like one that was never there.
          if (!isMissingIndex(error)) throw error;
          await openIndex(client, alias);
        }
        const { position, erasing: users } = (await load()).state;
        if (users.length > 0) eraser.begin();
        return position === null ? undefined : { applied: position, safe: position };
      }),
    apply: (batch) =>
      inTurn(async () => {
        const { state } = await load();
        const applied = state.position?.place ?? 0;
        if (batch.through.place <= applied) return { parked: [] };
        const { changes, parked } = projectBatch(batch, applied, new Set(state.parked.map(({ stream }) => stream)));
        const users = await write(changes);
        await store({
          position: batch.through,
          parked: [...state.parked, ...parked],
          erasing: withErasing(state, users),
        });
        if (users.length > 0) eraser.begin();
        return { parked };
      }),
    parked: () => inTurn(async () => (await load()).state.parked.toSorted((a, b) => (a.stream < b.stream ? -1 : 1))),
    // Documents are functions of their stream: folded anew they come to be what they are, and nothing has to be forgotten.
    async refold(stream, pages) {
      await inTurn(async () => {
        if (!(await load()).state.parked.some((one) => one.stream === stream))
          await replaceParked(stream, unfinishedRefold(stream));
      });
      for await (const page of pages) {
        const isWhole = await inTurn(async () => {
          const { changes, parked } = projectBatch(page, -1, new Set());
          const users = await write(changes);
          await store({ erasing: withErasing((await load()).state, users) });
          if (users.length > 0) eraser.begin();
          const [poison] = parked;
          if (poison !== undefined) await replaceParked(stream, poison);
          return poison === undefined;
        });
        if (!isWhole) return;
      }
      await inTurn(() => replaceParked(stream, undefined));
    },
    holdsErased: () => inTurn(async () => (await load()).state.erasing.length > 0),
    freeze: () =>
      inTurn(async () => {
        const { state } = await load();
        return { ...(await freeze(client, alias, state.erasing)), position: state.position ?? undefined };
      }),
    async *dump() {
      const frozen = await writer.freeze();
      try {
        yield* frozen.dump();
      } finally {
        await frozen.close();
      }
    },
    async close() {
      closing.abort();
      await turns.done();
      await eraser.ended();
    },
  };
  return writer;
};
