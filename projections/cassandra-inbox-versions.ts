import type { CassandraConnection } from '../command-side/cassandra-connection.ts';
import type { Clock, RandomBytes } from '../command-side/clock.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { LogId } from '../schemas/position.ts';
import { inboxCatalogue } from './cassandra-inbox-catalogue.ts';
import type { TableSet } from './cassandra-inbox-schema.ts';
import { readState } from './cassandra-inbox-state.ts';
import { openCassandraInboxWriter, type CassandraInboxWriter } from './cassandra-inbox-writer.ts';
import { mostCopied, openCassandraInbox } from './cassandra-inbox.ts';
import type { Inbox } from './inbox.ts';
import type { VersionReads, VersionStore } from './version-store.ts';
import { askedOf, namesOfLog, versionsOfLog } from './versions-of-log.ts';

export interface InboxVersionsDeps {
  readonly connection: CassandraConnection;
  /** Rises whenever the same log gives other rows: then it is built anew. */
  readonly version: number;
  readonly eventLog: EventLog;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly warn: (details: Readonly<Record<string, unknown>>, message: string) => void;
}

const namesOf =
  (version: number) =>
  (log: LogId, build: number): string =>
    `inbox-${Buffer.from(log, 'base64url').toString('hex')}-v${version}-b${build}`;

/**
 * Versions that are sets of tables in a keyspace. One that was built along a log which was restored since is not followed
 * on: its rows were written before its position, and those of a tail that is lost outrank the new ones.
 */
export const inboxVersions = (deps: InboxVersionsDeps): VersionStore<Inbox, CassandraInboxWriter> => {
  const { connection, version, eventLog, clock, randomBytes, warn } = deps;
  const { client } = connection;
  const catalogue = inboxCatalogue(client);
  const nameIn = namesOf(version);

  const open = async (name: string): Promise<CassandraInboxWriter> => {
    const set = await catalogue.setFor(name);
    return openCassandraInboxWriter({ connection, set, mostCopied, now: () => clock.monotonic(), warn });
  };

  return {
    found: async () =>
      versionsOfLog(eventLog, await catalogue.versions(), {
        nameIn,
        removeOther: (name) => {
          warn({ version: name }, 'an inbox is not of this log or this program and is removed');
          return catalogue.remove(name);
        },
      }),
    nameOf: (build) => nameIn(eventLog.head().log, build),
    open,
    openAsked: async (name) => openCassandraInbox(connection, await catalogue.setFor(name)),
    remove: (name) => catalogue.remove(name),
    live: () => catalogue.live(),
    setLive: (name) => catalogue.setLive(name, clock.now()),
    // There is no view of an earlier state, so there is no later one until it was read.
    async freeze(name, writer) {
      const release = await writer.hold();
      const { position } = await readState(client, await catalogue.setFor(name));
      return {
        place: position?.applied.place ?? 0,
        dump: () => writer.dump(),
        close() {
          release();
          return Promise.resolve();
        },
      };
    },
    async openTemporary() {
      const name = `inbox-compare-${Buffer.from(randomBytes(8)).toString('hex')}`;
      const writer = await open(name);
      return {
        writer,
        async remove() {
          await writer.close();
          await catalogue.remove(name);
        },
      };
    },
  };
};

/** The same versions, where another process writes them. */
export const inboxVersionReads = ({
  connection,
  version,
  eventLog,
}: Pick<InboxVersionsDeps, 'connection' | 'version' | 'eventLog'>): VersionReads<Inbox> => {
  const { client } = connection;
  const catalogue = inboxCatalogue(client);
  const setOf = async (name: string): Promise<TableSet> => {
    const set = await catalogue.setOf(name);
    if (set === undefined) throw new Error(`${name} was removed`);
    return set;
  };
  return {
    async live() {
      const found = await namesOfLog(eventLog, await catalogue.names(), namesOf(version));
      const pointed = await catalogue.live();
      return askedOf(found, pointed)?.name;
    },
    openAsked: async (name) => openCassandraInbox(connection, await setOf(name)),
    async stateOf(name) {
      const { position, parked } = await readState(client, await setOf(name));
      return { applied: position?.applied, parked };
    },
  };
};
