import { setTimeout as pause } from 'node:timers/promises';
import type { Clock, RandomBytes } from '../command-side/clock.ts';
import type { Warn } from '../command-side/warn.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { applyUpTo } from '../projections/apply-up-to.ts';
import { compareDumps, type Comparison } from '../projections/compare-dumps.ts';
import { follow, type Follower } from '../projections/follow.ts';
import { oneAtATime } from '../projections/one-at-a-time.ts';
import { proofOf } from '../projections/position-proof.ts';
import type { Progress, ProgressStatus } from '../projections/progress.ts';
import type { ReadModelWriter } from '../projections/read-model.ts';
import type { FrozenVersion, NamedVersion, VersionStore } from '../projections/version-store.ts';
import { askedOf } from '../projections/versions-of-log.ts';
import { reject } from '../schemas/errors.ts';
import type { StreamKind, StreamName } from '../schemas/streams.ts';
import { Refused } from './refused.ts';

export interface ReadModelKind<Asked, Writer extends ReadModelWriter> {
  readonly name: 'inbox' | 'search';
  readonly streamKinds: readonly StreamKind[];
  readonly store: VersionStore<Asked, Writer>;
}

export interface VersionsDeps {
  readonly eventLog: EventLog;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly warn: Warn;
}

export interface VersionStatus extends ProgressStatus {
  readonly version: string;
}

export interface VersionsStatus {
  readonly live: VersionStatus;
  /** The next one, which is being built, or the last one, which may be switched back to. */
  readonly other: (VersionStatus & { readonly is: 'next' | 'last' }) | null;
}

/** What an operator does with a read model. One thing at a time; the rest waits its turn. */
export interface VersionsOperated {
  status(): VersionsStatus;
  /** Begins to build the next version beside the live one. */
  rebuild(): Promise<VersionsStatus>;
  /** The live version (`one`) and the other one at the same place. */
  compareWithOther(): Promise<Comparison>;
  /** The live version (`one`) and a fresh fold of the log. */
  compareWithLog(): Promise<Comparison>;
  /** Asks the other version from now on, as soon as it holds what the live one does. */
  switchTo(which: 'next' | 'last'): Promise<VersionsStatus>;
  /** Removes the other version. */
  drop(): Promise<VersionsStatus>;
  /**
   * Resolves to true once no version shows or holds on the disk what the people wrote who were erased up to `place`; to
   * false at the deadline.
   */
  erased(place: number, deadline: number): Promise<boolean>;
  /** Folds a parked stream anew. */
  retry(stream: StreamName): Promise<void>;
}

export interface Versions<Asked> extends VersionsOperated {
  /** The end of the live version that is asked: another one after a switch. */
  asked(): Asked;
  /** Of the live version. */
  readonly progress: Progress;
}

interface Version<Asked, Writer> extends NamedVersion {
  readonly asked: Asked;
  readonly writer: Writer;
  follower: Follower;
  close(): Promise<void>;
}

const keepLastMs = 24 * 3_600_000;
const catchUpMs = 60_000;
const lookAgainMs = 20;

/** The versions of a read model in one store: the live one, and at most one more that follows too. */
export const openVersions = async <Asked extends { close(): Promise<void> }, Writer extends ReadModelWriter>(
  { name, streamKinds, store }: ReadModelKind<Asked, Writer>,
  deps: VersionsDeps,
  stack: AsyncDisposableStack,
): Promise<Versions<Asked>> => {
  const { eventLog, clock, warn } = deps;
  const stopping = new AbortController();

  const followed = (writer: ReadModelWriter, version: string): Follower => {
    const follower = follow({ ...deps, writer, streamKinds });
    void follower.failed.then((error) => warn({ err: error, version }, 'a read model is not followed any more'));
    return follower;
  };
  const begin = async (named: NamedVersion, writer: Writer): Promise<Version<Asked, Writer>> => {
    const asked = await store.openAsked(named.name);
    const version: Version<Asked, Writer> = {
      ...named,
      asked,
      writer,
      follower: followed(writer, named.name),
      async close() {
        await version.follower.close();
        await asked.close();
        await writer.close();
      },
    };
    return version;
  };
  const beginNew = async (build: number): Promise<Version<Asked, Writer>> => {
    const named = { name: store.nameOf(build), build };
    const writer = (await store.open(named.name)) ?? (await store.open(named.name));
    if (writer === undefined) throw new Error(`${named.name} cannot be made`);
    return begin(named, writer);
  };
  /** If it was built from this log, whichever of its epochs that was in. */
  const openFound = async (named: NamedVersion): Promise<Version<Asked, Writer> | undefined> => {
    const writer = await store.open(named.name);
    if (writer === undefined) return undefined;
    const stored = await writer.position();
    // Nobody else writes this log, so a position beyond its end is one of a tail that was lost.
    if ((await proofOf(eventLog, stored?.applied, stopping.signal)) === 'holds') return begin(named, writer);
    await writer.close();
    warn({ version: named.name }, 'a read model was not of this log and is made again');
    await store.remove(named.name);
    return undefined;
  };
  const removeAll = async (versions: readonly Version<Asked, Writer>[]): Promise<void> => {
    for (const version of versions) {
      await version.close();
      await store.remove(version.name);
    }
  };

  const found: Version<Asked, Writer>[] = [];
  for (const named of await store.found()) {
    const version = await openFound(named);
    if (version !== undefined) found.push(version);
  }
  const pointed = await store.live();
  let live = askedOf(found, pointed) ?? (await beginNew(1));
  const others = found.filter((one) => one !== live);
  let other = others.pop();
  await removeAll(others);
  let dropTimer: NodeJS.Timeout | undefined;

  const turns = oneAtATime();
  const inTurn = turns.run;
  const theOther = (): Version<Asked, Writer> => {
    if (other === undefined) throw new Refused(reject('invalid', `there is no other version of ${name}`));
    return other;
  };
  const statusOf = (one: Version<Asked, Writer>): VersionStatus => ({ version: one.name, ...one.follower.status() });
  const isOf = ({ build }: Version<Asked, Writer>): 'next' | 'last' => (build > live.build ? 'next' : 'last');
  const status = (): VersionsStatus => ({
    live: statusOf(live),
    other: other === undefined ? null : { ...statusOf(other), is: isOf(other) },
  });

  const drop = async (): Promise<VersionsStatus> => {
    clearTimeout(dropTimer);
    const dropped = theOther();
    other = undefined;
    await removeAll([dropped]);
    return status();
  };
  const dropLastIn = (ms: number): void => {
    clearTimeout(dropTimer);
    const due = other;
    dropTimer = setTimeout(() => {
      const dropped = inTurn(async () => {
        if (due !== undefined && due === other && isOf(due) === 'last') await drop();
      });
      dropped.catch((error: unknown) => warn({ err: error }, 'the last version of a read model was not removed'));
    }, ms).unref();
  };
  if (other !== undefined) dropLastIn(Math.max(0, keepLastMs - (clock.now() - (pointed?.since ?? clock.now()))));

  const catchUp = async ({ name: behind, follower }: Version<Asked, Writer>, place: number): Promise<void> => {
    if (await follower.waitFor(place, clock.monotonic() + catchUpMs)) return;
    throw new Refused(reject('unavailable', `${behind} does not catch up`));
  };
  const bring = async (writer: ReadModelWriter, place: number): Promise<void> => {
    await applyUpTo({ eventLog, writer, streamKinds, signal: stopping.signal }, place);
  };
  const compareWithLog = async (): Promise<Comparison> => {
    await using held = new AsyncDisposableStack();
    const own = await store.openTemporary();
    held.defer(() => own.remove());
    const { writer } = own;
    // Most of the way at first, for what is frozen is not kept for ever.
    await bring(writer, live.follower.applied()?.place ?? 0);
    const frozen = await store.freeze(live.name, live.writer);
    held.defer(() => frozen.close());
    await bring(writer, frozen.place);
    return await compareDumps(frozen.dump(), writer.dump());
  };
  /** While `work` moves it. */
  const notFollowed = async <T>(version: Version<Asked, Writer>, work: () => Promise<T>): Promise<T> => {
    await version.follower.close();
    try {
      return await work();
    } finally {
      version.follower = followed(version.writer, version.name);
    }
  };
  const compareWithOther = async (): Promise<Comparison> => {
    const compared = theOther();
    const { writer } = compared;
    await using held = new AsyncDisposableStack();
    const freeze = async (version: Version<Asked, Writer>): Promise<FrozenVersion> => {
      const frozen = await store.freeze(version.name, version.writer);
      held.defer(() => frozen.close());
      return frozen;
    };
    const [one, two] = await notFollowed(compared, async () => {
      await catchUp(live, (await writer.position())?.applied.place ?? 0);
      const frozen = await freeze(live);
      await bring(writer, frozen.place);
      return [frozen, await freeze(compared)];
    });
    return await compareDumps(one.dump(), two.dump());
  };

  const switchTo = async (which: 'next' | 'last'): Promise<VersionsStatus> => {
    const next = theOther();
    if (isOf(next) !== which) throw new Refused(reject('invalid', `there is no ${which} version of ${name}`));
    const place = (): number => live.follower.applied()?.place ?? 0;
    await catchUp(next, place());
    await store.setLive(next.name);
    // Who waited for a write at the live one has to find it in the next one.
    while ((next.follower.applied()?.place ?? 0) < place()) await catchUp(next, place());
    [live, other] = [next, live];
    dropLastIn(keepLastMs);
    return status();
  };

  stack.defer(async () => {
    clearTimeout(dropTimer);
    stopping.abort();
    await turns.done();
    await live.close();
    await other?.close();
  });

  const waitFor = async (place: number, deadline: number): Promise<boolean> => {
    const asked = live;
    const reached = await asked.follower.waitFor(place, deadline);
    return reached && asked !== live ? waitFor(place, deadline) : reached;
  };
  return {
    asked: () => live.asked,
    progress: { applied: () => live.follower.applied(), status: () => live.follower.status(), waitFor },
    status,
    rebuild: () =>
      inTurn(async () => {
        if (other !== undefined)
          throw new Refused(reject('invalid', `${other.name} is there: switch to it or drop it`));
        other = await beginNew(live.build + 1);
        return status();
      }),
    compareWithOther: () => inTurn(compareWithOther),
    compareWithLog: () => inTurn(compareWithLog),
    switchTo: (which) => inTurn(() => switchTo(which)),
    drop: () => inTurn(drop),
    async erased(place, deadline) {
      for (const version of other === undefined ? [live] : [live, other]) {
        // A comparison ends its follower for a moment.
        while (!(await version.follower.waitFor(place, deadline)) || (await version.writer.holdsErased())) {
          if (clock.monotonic() >= deadline) return false;
          await pause(lookAgainMs);
        }
      }
      return true;
    },
    retry: (stream) => live.follower.retry(stream),
  };
};
