import type { KeyObject } from 'node:crypto';
import type { KeySubject } from '../schemas/events.ts';

/** Encrypts the personal fields of one subject. */
export interface DataKey {
  /** Random, 16 bytes as base64url; stands in the envelope. Whose key it is lies beside the key and goes with it. */
  readonly name: string;
  /** AES-256. */
  readonly key: KeyObject;
}

/** The keys of the data subjects, as the log's codec and the command side need them. Answers may be cached. */
export interface DataKeys {
  /** The key a subject's events are written under; undefined if there is none or it was destroyed. */
  keyOf(subject: KeySubject): Promise<DataKey | undefined>;
  /** The same from memory; undefined if it is not there. */
  keyInMemory(subject: KeySubject): DataKey | undefined;
  /** Keys by the names in envelopes. A name that is missing was erased. */
  keysNamed(names: ReadonlySet<string>): Promise<ReadonlyMap<string, DataKey>>;
}
