import type { AppliedPosition, ParkedStream, ReadModelWriter } from './read-model.ts';

/** A version of a read model, by the name under which it lies in its store: its build counts what was built before it. */
export interface NamedVersion {
  readonly name: string;
  readonly build: number;
}

/** One state of a version, which what is written later does not change. */
export interface FrozenVersion {
  /** The place of the log it holds everything up to. */
  readonly place: number;
  dump(): AsyncIterable<string>;
  close(): Promise<void>;
}

/** A version that is open, and nobody else's: to be compared with another one. */
export interface OwnVersion {
  readonly writer: ReadModelWriter;
  /** Closes it and removes it. */
  remove(): Promise<void>;
}

/** Where the versions of one read model lie: files of a directory, or tables or indices of a server. */
export interface VersionStore<Asked, Writer extends ReadModelWriter> {
  /**
   * The versions that this program can follow along this log, oldest first. What it cannot follow is removed, for no erasure
   * would reach it, and what comparisons left.
   */
  found(): Promise<readonly NamedVersion[]>;
  nameOf(build: number): string;
  /** Opens a version, or makes it. What cannot be read is removed, and then the answer is undefined. */
  open(name: string): Promise<Writer | undefined>;
  /** The end that is asked, of a version that is open. */
  openAsked(name: string): Promise<Asked>;
  /** Of a version that is closed. */
  remove(name: string): Promise<void>;
  /** Which version is asked, and since when; undefined: nobody ever switched. */
  live(): Promise<{ readonly name: string; readonly since: number } | undefined>;
  setLive(name: string): Promise<void>;
  /** A version between two batches; its writer is the one that `open` gave. */
  freeze(name: string, writer: Writer): Promise<FrozenVersion>;
  openTemporary(): Promise<OwnVersion>;
}

/** The versions as processes see them that only ask: another one follows the log, switches and removes. */
export interface VersionReads<Asked> {
  /** The name of the version that is asked: the one that was switched to, else the oldest. Undefined: none was made yet. */
  live(): Promise<string | undefined>;
  openAsked(name: string): Promise<Asked>;
  /** How far a version is. Reads that begin after the answer see everything up to `applied`. */
  stateOf(name: string): Promise<VersionState>;
}

export interface VersionState {
  /** Undefined: nothing was applied yet. */
  readonly applied: AppliedPosition | undefined;
  readonly parked: readonly ParkedStream[];
}
