import type { LogId } from '../schemas/position.ts';
import type { StreamName } from '../schemas/streams.ts';

/** A fold of a stream up to a revision, without personal fields. A cache: losing it costs time only. */
export interface Snapshot {
  readonly revision: number;
  /** The log the last event lies in. */
  readonly log: LogId;
  /** The chain's link of the event at `revision`, or its event id where the stream has no chain. */
  readonly link: string;
  /** Version of the code that made `state`; another version's snapshot is ignored. */
  readonly codeVersion: number;
  /** JSON. */
  readonly state: string;
}

export interface SnapshotStore {
  /** The newest snapshot of a stream; undefined if there is none or it is damaged. */
  load(stream: StreamName): Promise<Snapshot | undefined>;
  /** Replaces the stream's snapshot. Not durable at once; a lost one is made again. Never throws: reports to the log. */
  save(stream: StreamName, snapshot: Snapshot): Promise<void>;
  close(): Promise<void>;
}
