import type { Client } from '@elastic/elasticsearch';
import type { Clock, RandomBytes } from '../command-side/clock.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { LogId } from '../schemas/position.ts';
import { withoutRequest, type ElasticsearchWarn } from './elasticsearch-connection.ts';
import { hexOf } from './elasticsearch-search-documents.ts';
import { aliasNamed, findIndices, liveIndex, removeIndex, setLiveIndex } from './elasticsearch-search-index.ts';
import { searchIndexReader } from './elasticsearch-search-read.ts';
import { readState } from './elasticsearch-search-state.ts';
import { openSearchIndexWriter, type SearchIndexWriter } from './elasticsearch-search-writer.ts';
import type { MessageSearch } from './search.ts';
import type { VersionReads, VersionStore } from './version-store.ts';
import { askedOf, namesOfLog, versionsOfLog } from './versions-of-log.ts';

export interface SearchIndicesDeps {
  readonly client: Client;
  /** What the names of all versions of this installation begin with, and of nothing else. */
  readonly prefix: string;
  /** Rises whenever the same log gives other documents: then it is built anew. */
  readonly version: number;
  readonly budgetMs: number;
  readonly eventLog: EventLog;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly warn: ElasticsearchWarn;
}

const liveAliasOf = (prefix: string): string => `${prefix}-live`;
const namesOf =
  (prefix: string, version: number) =>
  (log: LogId, build: number): string =>
    `${prefix}-${hexOf(log)}-v${version}-b${build}`;

const plainly = async <T>(work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (error) {
    throw withoutRequest(error);
  }
};

/**
 * Versions that are indices of an Elasticsearch. One that was built along a log which was restored since is not followed on:
 * its documents were written before its position, and those of a tail that is lost outrank the new ones.
 */
export const searchIndices = (deps: SearchIndicesDeps): VersionStore<MessageSearch, SearchIndexWriter> => {
  const { client, prefix, version, budgetMs, eventLog, clock, randomBytes, warn } = deps;
  const liveAlias = liveAliasOf(prefix);
  const nameIn = namesOf(prefix, version);

  const open = (name: string): Promise<SearchIndexWriter> =>
    plainly(openSearchIndexWriter({ client, alias: aliasNamed(name), warn }));
  const remove = (name: string): Promise<void> => plainly(removeIndex(client, name));

  return {
    async found() {
      const indices = await plainly(findIndices(client, `${prefix}-`));
      const names = indices.map(({ alias }) => alias);
      return versionsOfLog(eventLog, names, {
        nameIn,
        removeOther: (name) => {
          warn({ version: name }, 'an index is not of this log or this program and is removed');
          return remove(name);
        },
      });
    },
    nameOf: (build) => nameIn(eventLog.head().log, build),
    open,
    openAsked: (name) =>
      Promise.resolve(searchIndexReader({ client, alias: aliasNamed(name), budgetMs, now: () => clock.monotonic() })),
    remove,
    live: () => plainly(liveIndex(client, liveAlias)),
    setLive: (name) =>
      plainly(setLiveIndex(client, { liveAlias, alias: aliasNamed(name), prefix: `${prefix}-`, since: clock.now() })),
    async freeze(_name, writer) {
      const frozen = await writer.freeze();
      return { ...frozen, place: frozen.position?.place ?? 0 };
    },
    async openTemporary() {
      const name = `${prefix}-compare-${Buffer.from(randomBytes(8)).toString('hex')}`;
      const writer = await open(name);
      return {
        writer,
        async remove() {
          await writer.close();
          await remove(name);
        },
      };
    },
  };
};

/** The same versions, where another process writes them. */
export const searchIndexReads = ({
  client,
  prefix,
  version,
  budgetMs,
  eventLog,
  clock,
}: Omit<SearchIndicesDeps, 'randomBytes' | 'warn'>): VersionReads<MessageSearch> => ({
  async live() {
    const indices = await plainly(findIndices(client, `${prefix}-`));
    const names = indices.map(({ alias }) => alias);
    const found = await namesOfLog(eventLog, names, namesOf(prefix, version));
    const pointed = await plainly(liveIndex(client, liveAliasOf(prefix)));
    return askedOf(found, pointed)?.name;
  },
  openAsked: (name) =>
    Promise.resolve(searchIndexReader({ client, alias: aliasNamed(name), budgetMs, now: () => clock.monotonic() })),
  async stateOf(name) {
    const { position, parked } = await plainly(readState(client, aliasNamed(name)));
    return { applied: position ?? undefined, parked };
  },
});
