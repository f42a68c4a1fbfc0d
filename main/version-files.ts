import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { copySqliteFile } from '../command-side/sqlite-copy.ts';
import type { Warn } from '../command-side/warn.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { ReadModelWriter } from '../projections/read-model.ts';
import type { VersionStore } from '../projections/version-store.ts';
import { readLiveVersion, writeLiveVersion } from './live-version.ts';

export interface VersionFiles<Asked> {
  readonly name: 'inbox' | 'search';
  /** Rises whenever the same log gives other rows: then it is built anew. */
  readonly version: number;
  readonly directory: string;
  readonly openWriter: (path: string) => Promise<ReadModelWriter>;
  /** The end that is asked, of a file that a writer has opened. */
  readonly openAsked: (path: string) => Promise<Asked>;
  readonly eventLog: EventLog;
  readonly warn: Warn;
}

/** Versions that are SQLite files of one directory. */
export const versionFiles = <Asked>(files: VersionFiles<Asked>): VersionStore<Asked, ReadModelWriter> => {
  const { name: model, version, directory, openWriter, eventLog, warn } = files;
  const pathOf = (name: string): string => join(directory, name);
  const temporary = `compare-${model}-`;
  const pattern = new RegExp(`^${model}-[A-Za-z0-9_-]{22}-v${version}(?:\\.([0-9]{1,9}))?\\.sqlite$`);
  const ofOtherProgram = new RegExp(`^${model}-[A-Za-z0-9_-]{22}-v[0-9.]+\\.sqlite$`);

  const remove = async (name: string): Promise<void> => {
    // What SQLite keeps beside a file.
    await Promise.all(['', '-wal', '-shm'].map((suffix) => rm(`${pathOf(name)}${suffix}`, { force: true })));
  };
  /** A file of its own, in a folder that goes with it. */
  const openApart = async (fill: (path: string) => Promise<void>) => {
    const folder = await mkdtemp(pathOf(temporary));
    await using opening = new AsyncDisposableStack();
    opening.defer(() => rm(folder, { recursive: true }));
    const path = join(folder, 'version.sqlite');
    await fill(path);
    const writer = await openWriter(path);
    opening.defer(() => writer.close());
    const kept = opening.move();
    return { writer, remove: () => kept.disposeAsync() };
  };

  return {
    async found() {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const found = [];
      for (const name of await readdir(directory)) {
        if (name.startsWith(temporary)) await rm(pathOf(name), { recursive: true });
        const match = pattern.exec(name);
        if (match !== null) found.push({ name, build: Number(match[1] ?? 1) });
        else if (ofOtherProgram.test(name)) await remove(name);
      }
      return found.toSorted((one, other) => one.build - other.build);
    },
    nameOf: (build) => `${model}-${eventLog.head().log}-v${version}${build === 1 ? '' : `.${build}`}.sqlite`,
    async open(name) {
      try {
        return await openWriter(pathOf(name));
      } catch (error) {
        warn({ err: error, path: pathOf(name) }, 'a read model was damaged and is made again');
        await remove(name);
        return undefined;
      }
    },
    openAsked: (name) => files.openAsked(pathOf(name)),
    remove,
    async live() {
      const pointed = await readLiveVersion(directory, model);
      return pointed && { name: pointed.file, since: pointed.since };
    },
    setLive: (name) => writeLiveVersion(directory, model, name),
    async freeze(name) {
      const { writer, remove: close } = await openApart((path) => copySqliteFile(pathOf(name), path));
      const place = (await writer.position())?.applied.place ?? 0;
      return { place, dump: () => writer.dump(), close };
    },
    openTemporary: () => openApart(() => Promise.resolve()),
  };
};
