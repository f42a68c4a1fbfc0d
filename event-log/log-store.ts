import type { NewEvent } from '../schemas/events.ts';
import type { LogPosition } from '../schemas/position.ts';
import type { StreamName } from '../schemas/streams.ts';
import type { AppendOutcome } from './event-log.ts';

/**
 * What a product has to do to hold the log: bytes in one order. `openEventLog` (open-event-log.ts) lays codec, chain,
 * epochs, recent events and tail over it, the same for every product.
 *
 * `n` is an integer from 1 on that rises in the order of the log and never repeats: a store may count events, or leave out
 * as many numbers as it likes. Revisions are dense per stream.
 */
export interface LogStore {
  /** As `EventLog.append`. Appends of one process to one stream come one at a time. */
  append(request: AppendRequest): Promise<StoreOutcome>;

  /** As `EventLog.readStream`, its bound in bytes included. Throws `LogDamaged` where rows and their places do not fit together. */
  readStream(
    stream: StreamName,
    from: number | 'end',
    direction: 'forwards' | 'backwards',
    limit: number,
  ): Promise<readonly StoredEvent[]>;

  /**
   * Up to `limit` events after `n`, in order, without a hole, at most about 4 MiB of them, and at least one unless the log
   * ends there. `n` need not be that of an event.
   */
  readAll(after: number, limit: number): Promise<readonly StoredEvent[]>;

  /** n of the last event committed, as far as this process knows: never behind an append that was answered. */
  head(): number;

  /**
   * Calls `listener` with every event after the head at the call, once, in order, without a hole, whoever wrote it. Where
   * this process is the sole writer it hears of an event before the append that wrote it answers, else it may be later.
   * One listener, and nothing appends before it is there.
   */
  onCommitted(listener: (events: readonly StoredEvent[]) => void): void;

  readonly soleWriter: boolean;
  /** Why the log cannot be reached at the moment; undefined: it can. */
  away(): string | undefined;
  readonly failed: Promise<Error>;
  close(): Promise<void>;
}

/** Which appends go first when several wait: messages before receipts before presence. */
export type AppendPriority = 0 | 1 | 2;

export interface AppendRequest {
  readonly stream: StreamName;
  readonly expectedRevision: number;
  readonly priority: AppendPriority;
  readonly events: readonly EncodedEvent[];
}

/** An event as bytes: `envelope` is the canonical form of envelope.ts, which the link and the checksum cover. */
export interface EncodedEvent {
  readonly envelope: Uint8Array;
  /** 32 bytes, or empty where the stream has no chain. */
  readonly link: Uint8Array;
  /** CRC-32 of envelope, revision, link and what it was copied from. */
  readonly checksum: number;
  /** Of an event of a copied log: where it stood in the log that it was appended to. That stays its position. */
  readonly copiedFrom?: LogPosition | undefined;
  /** Travels beside the bytes, so that nobody decrypts what this process has just written. */
  readonly plain?: NewEvent;
}

export interface StoredEvent extends EncodedEvent {
  readonly stream: StreamName;
  readonly revision: number;
  readonly n: number;
}

export type StoreOutcome =
  | {
      readonly outcome: 'appended';
      readonly revision: number;
      /** n at or after the last event's. */
      readonly n: number;
      /** The links as stored: those of the first append where this one repeats it. */
      readonly links: readonly Uint8Array[];
    }
  | Exclude<AppendOutcome, { outcome: 'appended' }>;
