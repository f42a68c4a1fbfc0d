import type { CassandraConnection } from '../command-side/cassandra-connection.ts';
import type { UserId } from '../schemas/ids.ts';
import type { StreamName } from '../schemas/streams.ts';
import { besideBatches } from './beside-batches.ts';
import { planBatch } from './cassandra-inbox-batch.ts';
import { dumpInbox } from './cassandra-inbox-dump.ts';
import { eraseTexts } from './cassandra-inbox-erasing.ts';
import { keepSmall, nothingKnown, type Known } from './cassandra-inbox-load.ts';
import { safeAfterMs, safePositions } from './cassandra-inbox-safe.ts';
import type { TableSet } from './cassandra-inbox-schema.ts';
import { readState, stateWriter, type StateWriter } from './cassandra-inbox-state.ts';
import { inboxStore } from './cassandra-inbox-store.ts';
import { oneAtATime } from './one-at-a-time.ts';
import {
  unfinishedRefold,
  type FollowedBatch,
  type ParkedStream,
  type ProjectedEvent,
  type ReadModelWriter,
} from './read-model.ts';

export interface CassandraInboxDeps {
  readonly connection: CassandraConnection;
  readonly set: TableSet;
  /** Conversations of more members are not copied to each of them. */
  readonly mostCopied: number;
  /** Milliseconds that only rise. */
  readonly now: () => number;
  readonly warn: (details: Readonly<Record<string, unknown>>, message: string) => void;
}

export interface CassandraInboxWriter extends ReadModelWriter {
  /** Holds batches up until what it gives back is called: nothing is written meanwhile. */
  hold(): Promise<() => void>;
}

interface Begun {
  readonly known: Known;
  readonly state: StateWriter;
  readonly parked: Map<StreamName, ParkedStream>;
}

/**
 * Writes one version of the inbox. The rows of a batch are on a quorum before its position is; and as the cluster may forget
 * the last of what it acknowledged when it loses a node, whoever follows begins at the safe position after every loss.
 */
export const openCassandraInboxWriter = async (deps: CassandraInboxDeps): Promise<CassandraInboxWriter> => {
  const { connection, set, mostCopied, now, warn } = deps;
  const { client } = connection;
  const store = inboxStore(client, set);
  const safe = safePositions();
  const closing = new AbortController();
  const erasing = new Set<UserId>();
  /** When the texts of people were gone, whose erasure is still on record: until that cannot be forgotten. */
  const erasedAt = new Map<UserId, number>();
  /** When streams that were parked were whole again. */
  const wholeAt = new Map<StreamName, number>();
  /** Events whose message was missing once: if it is again after a new beginning, the log has none. */
  const missed = new Set<string>();
  let begun: Begun | undefined;

  const lose = (): void => {
    begun = undefined;
  };
  const onDown = (): void => {
    if (begun !== undefined) warn({}, 'a node of the cluster was lost: what it may have forgotten is written again');
    lose();
  };
  // One that was away together with all others is taken for a new one by the driver.
  for (const event of ['hostDown', 'hostRemove']) client.on(event, onDown);

  /** What failed may have been written in part, so nothing is taken for known any more. */
  const turns = oneAtATime((error) => {
    lose();
    return error;
  });
  const inTurn = turns.run;
  const begin = async (): Promise<Begun & { readonly stored: Awaited<ReturnType<typeof readState>> }> => {
    const stored = await readState(client, set);
    safe.startFrom(stored.position?.safe);
    begun = {
      known: nothingKnown(),
      state: stateWriter(client, set, stored.stamp),
      parked: new Map(stored.parked.map((one) => [one.stream, one])),
    };
    for (const [stream, at] of wholeAt) {
      if (now() - at >= safeAfterMs) continue;
      await begun.state.park(unfinishedRefold(stream));
      begun.parked.set(stream, unfinishedRefold(stream));
    }
    wholeAt.clear();
    for (const user of stored.erasing) erasing.add(user);
    eraser.begin();
    return { ...begun, stored };
  };
  const current = (): Begun => {
    if (begun === undefined) throw new Error('rows may have been lost: begin again at the safe position');
    return begun;
  };

  const eraseAll = async (): Promise<void> => {
    while (erasing.size > 0) {
      for (const user of [...erasing]) {
        await eraseTexts(store, user, closing.signal);
        erasing.delete(user);
        erasedAt.set(user, now());
      }
    }
  };
  const eraser = besideBatches(
    eraseAll,
    (error) => warn({ err: error }, 'what was erased could not be taken out of the inbox; it is tried again'),
    closing.signal,
  );
  const settleErased = async ({ state }: Begun): Promise<void> => {
    for (const [user, at] of erasedAt) {
      if (now() - at < safeAfterMs) continue;
      await state.erased(user);
      erasedAt.delete(user);
    }
  };

  const isLost = ({ stream, revision }: ProjectedEvent): boolean => {
    const key = `${stream}/${revision}`;
    if (missed.delete(key)) return false;
    missed.add(key);
    return true;
  };

  /** Writes the rows of a batch and what the version has to know of itself, but not the position. */
  const write = async (
    batch: FollowedBatch,
    now: Begun,
    waiting: ReadonlySet<StreamName>,
  ): Promise<readonly ParkedStream[]> => {
    const { writes, parked, erased } = await planBatch(store, now.known, batch, waiting, mostCopied, isLost);
    for (const part of writes) await store.write(part);
    for (const stream of parked) await now.state.park(stream);
    for (const user of erased) {
      await now.state.erasing(user);
      erasing.add(user);
      erasedAt.delete(user);
    }
    keepSmall(now.known);
    if (erased.length > 0) eraser.begin();
    return parked;
  };

  await inTurn(begin);
  return {
    position: () => inTurn(async () => (await begin()).stored.position),
    apply: (batch) =>
      inTurn(async () => {
        const held = current();
        const parked = await write(batch, held, new Set(held.parked.keys()));
        for (const stream of parked) held.parked.set(stream.stream, stream);
        // A node that was lost meanwhile may have taken rows of this batch along.
        current();
        await held.state.position({ applied: batch.through, safe: safe.applied(batch.through, now()) });
        await settleErased(held);
        return { parked };
      }),
    parked: () => inTurn(() => Promise.resolve([...current().parked.values()].toSorted(byStream))),
    async refold(stream, pages) {
      await inTurn(async () => {
        const { parked, state } = current();
        const waiting = parked.get(stream) ?? unfinishedRefold(stream);
        await state.park(waiting);
        parked.set(stream, waiting);
      });
      for await (const page of pages) {
        const [again] = await inTurn(async () => {
          const held = current();
          const parked = await write(page, held, new Set());
          for (const one of parked) held.parked.set(one.stream, one);
          return parked;
        });
        if (again !== undefined) return;
      }
      await inTurn(async () => {
        const { parked, state } = current();
        await state.unpark(stream);
        parked.delete(stream);
        wholeAt.set(stream, now());
      });
    },
    holdsErased: () => Promise.resolve(erasing.size > 0),
    dump: () => dumpInbox(store, client, set),
    hold() {
      const released = Promise.withResolvers<undefined>();
      const holding = Promise.withResolvers<() => void>();
      void inTurn(() => {
        holding.resolve(() => released.resolve(undefined));
        return released.promise;
      });
      return holding.promise;
    },
    async close() {
      for (const event of ['hostDown', 'hostRemove']) client.removeListener(event, onDown);
      closing.abort();
      await turns.done();
      await eraser.ended();
    },
  };
};

const byStream = (one: ParkedStream, other: ParkedStream): number => (one.stream < other.stream ? -1 : 1);
