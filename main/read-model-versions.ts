import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Clock, RandomBytes } from '../command-side/clock.ts';
import { copySqliteFile } from '../command-side/sqlite-copy.ts';
import type { Warn } from '../command-side/warn.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { applyUpTo } from '../projections/apply-up-to.ts';
import { compareDumps, type Comparison } from '../projections/compare-dumps.ts';
import { follow, type Follower } from '../projections/follow.ts';
import type { Progress, ProgressStatus } from '../projections/progress.ts';
import type { ReadModelWriter } from '../projections/read-model.ts';
import { reject } from '../schemas/errors.ts';
import type { StreamKind, StreamName } from '../schemas/streams.ts';
import { readLiveVersion, writeLiveVersion } from './live-version.ts';
import { openVersion, removeVersion } from './open-version.ts';
import { Refused } from './refused.ts';

export interface ReadModelKind<Asked> {
  readonly name: 'inbox' | 'search';
  /** Rises whenever the same log gives other rows: then it is built anew. */
  readonly version: number;
  readonly streamKinds: readonly StreamKind[];
  readonly openWriter: (path: string) => Promise<ReadModelWriter>;
  /** The end that is asked, of a file that a writer has opened. */
  readonly openAsked: (path: string) => Promise<Asked>;
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

interface Version<Asked> {
  readonly file: string;
  readonly build: number;
  readonly path: string;
  readonly asked: Asked;
  readonly writer: ReadModelWriter;
  readonly follower: Follower;
  close(): Promise<void>;
}

const keepLastMs = 24 * 3_600_000;
const catchUpMs = 60_000;
const lookAgainMs = 20;

/** The versions of a read model in SQLite files in one directory: the live one, and at most one more that follows too. */
export const openVersions = async <Asked extends { close(): Promise<void> }>(
  kind: ReadModelKind<Asked>,
  directory: string,
  deps: VersionsDeps,
  stack: AsyncDisposableStack,
): Promise<Versions<Asked>> => {
  const { eventLog, clock, warn } = deps;
  const { name, streamKinds } = kind;
  const stopping = new AbortController();
  const pathOf = (file: string): string => join(directory, file);
  const fileOf = (build: number): string =>
    `${name}-${eventLog.head().log}-v${kind.version}${build === 1 ? '' : `.${build}`}.sqlite`;
  const pattern = new RegExp(`^${name}-[A-Za-z0-9_-]{22}-v${kind.version}(?:\\.([0-9]{1,9}))?\\.sqlite$`);
  const ofOtherProgram = new RegExp(`^${name}-[A-Za-z0-9_-]{22}-v[0-9.]+\\.sqlite$`);

  const begin = async (file: string, build: number, writer: ReadModelWriter): Promise<Version<Asked>> => {
    const asked = await kind.openAsked(pathOf(file));
    const follower = follow({ ...deps, writer, streamKinds });
    void follower.failed.then((error) => warn({ err: error, file }, 'a read model is not followed any more'));
    const close = async (): Promise<void> => {
      await follower.close();
      await asked.close();
      await writer.close();
    };
    return { file, build, path: pathOf(file), asked, writer, follower, close };
  };

  const openFound = async (): Promise<Version<Asked>[]> => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const found: Version<Asked>[] = [];
    for (const file of await readdir(directory)) {
      if (file.startsWith(`compare-${name}-`)) await rm(pathOf(file), { recursive: true });
      const match = pattern.exec(file);
      // This program cannot follow it, so no erasure would reach it.
      if (match === null && ofOtherProgram.test(file)) await removeVersion(pathOf(file));
      if (match === null) continue;
      const writer = await openVersion(pathOf(file), kind.openWriter, eventLog, warn);
      if (writer !== undefined) found.push(await begin(file, Number(match[1] ?? 1), writer));
    }
    return found.toSorted((one, other) => one.build - other.build);
  };
  const removeAll = async (versions: readonly Version<Asked>[]): Promise<void> => {
    for (const version of versions) {
      await version.close();
      await removeVersion(version.path);
    }
  };

  const found = await openFound();
  const pointed = await readLiveVersion(directory, name);
  // What was being built is not asked before somebody switches to it.
  const chosen = found.find(({ file }) => file === pointed?.file) ?? found[0];
  let live = chosen ?? (await begin(fileOf(1), 1, await kind.openWriter(pathOf(fileOf(1)))));
  const others = found.filter((one) => one !== live);
  let other = others.pop();
  await removeAll(others);
  let dropTimer: NodeJS.Timeout | undefined;

  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = turn.then(work);
    turn = done.catch(() => undefined);
    return done;
  };
  const theOther = (): Version<Asked> => {
    if (other === undefined) throw new Refused(reject('invalid', `there is no other version of ${name}`));
    return other;
  };
  const statusOf = ({ file, follower }: Version<Asked>): VersionStatus => ({ version: file, ...follower.status() });
  const isOf = ({ build }: Version<Asked>): 'next' | 'last' => (build > live.build ? 'next' : 'last');
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

  /** `make` brings the file to compare with, and says what it holds already. */
  const compare = async (make: (path: string) => Promise<void>): Promise<Comparison> => {
    const temporary = await mkdtemp(pathOf(`compare-${name}-`));
    await using opened = new AsyncDisposableStack();
    opened.defer(() => rm(temporary, { recursive: true }));
    const open = async (path: string): Promise<ReadModelWriter> => {
      const writer = await kind.openWriter(path);
      opened.defer(() => writer.close());
      return writer;
    };
    const [ofLive, compared] = [join(temporary, 'live.sqlite'), join(temporary, 'compared.sqlite')];
    await make(compared);
    const writer = await open(compared);
    await catchUp(live, (await writer.position())?.applied.place ?? 0);
    await copySqliteFile(live.path, ofLive);
    const copied = await open(ofLive);
    const place = (await copied.position())?.applied.place ?? 0;
    await applyUpTo({ eventLog, writer, streamKinds, signal: stopping.signal }, place);
    return await compareDumps(copied.dump(), writer.dump());
  };
  const catchUp = async ({ file, follower }: Version<Asked>, place: number): Promise<void> => {
    if (await follower.waitFor(place, clock.monotonic() + catchUpMs)) return;
    throw new Refused(reject('unavailable', `${file} does not catch up`));
  };

  const switchTo = async (which: 'next' | 'last'): Promise<VersionsStatus> => {
    const next = theOther();
    if (isOf(next) !== which) throw new Refused(reject('invalid', `there is no ${which} version of ${name}`));
    const place = (): number => live.follower.applied()?.place ?? 0;
    await catchUp(next, place());
    await writeLiveVersion(directory, name, next.file);
    // Who waited for a write at the live one has to find it in the next one.
    while ((next.follower.applied()?.place ?? 0) < place()) await catchUp(next, place());
    [live, other] = [next, live];
    dropLastIn(keepLastMs);
    return status();
  };

  stack.defer(async () => {
    clearTimeout(dropTimer);
    stopping.abort();
    await turn;
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
          throw new Refused(reject('invalid', `${other.file} is there: switch to it or drop it`));
        const build = live.build + 1;
        const file = fileOf(build);
        other = await begin(file, build, await kind.openWriter(pathOf(file)));
        return status();
      }),
    compareWithOther: () => inTurn(() => compare((path) => copySqliteFile(theOther().path, path))),
    compareWithLog: () => inTurn(() => compare(() => Promise.resolve())),
    switchTo: (which) => inTurn(() => switchTo(which)),
    drop: () => inTurn(drop),
    async erased(place, deadline) {
      for (const { follower, writer } of other === undefined ? [live] : [live, other]) {
        if (!(await follower.waitFor(place, deadline))) return false;
        while (await writer.holdsErased()) {
          if (clock.monotonic() >= deadline) return false;
          await pause(lookAgainMs);
        }
      }
      return true;
    },
    retry: (stream) => live.follower.retry(stream),
  };
};
