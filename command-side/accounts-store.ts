import type { DataKeys } from '../event-log/data-keys.ts';
import type { KeySubject } from '../schemas/events.ts';
import type { LogPosition } from '../schemas/position.ts';

/**
 * What is mutable, durable and never in the log: for now the data keys and the install key.
 * Every method that changes something is durable (fsynced, or on a quorum) before it answers. Where the store is a server
 * that is away, a method rejects with `AccountsAway`, and whether the change was made is not known; repeating it is safe.
 */
export interface AccountsStore extends DataKeys {
  /**
   * Creates the key of a subject if it has none. Atomic: of several callers one creates, all get that key.
   * `destroyed` once the key was destroyed: a subject never gets a second key.
   */
  createKey(subject: KeySubject): Promise<'created' | 'exists' | 'destroyed'>;

  /** Destroys a subject's key for ever and leaves a tombstone. Repeating it changes nothing. */
  destroyKey(subject: KeySubject): Promise<void>;

  /** Every subject whose key was destroyed. */
  destroyed(): Promise<readonly KeySubject[]>;

  /** Every subject that has a key or had one, in any order. Complete while nobody changes anything. */
  each(): AsyncIterable<AccountsEntry>;

  /**
   * Takes a key as other accounts hold it, under its name, if the subject has none here. `different`: it has another, or had
   * one that was destroyed. Repeating it changes nothing.
   */
  takeKey(subject: KeySubject, key: AccountsKey): Promise<'taken' | 'different'>;

  /** Up to where the log was looked through for erased users; null: not at all. */
  erasedThrough(): Promise<LogPosition | null>;
  storeErasedThrough(position: LogPosition): Promise<void>;

  /** 32 random bytes made with the store: ids of outside users derive from it. */
  readonly installKey: Uint8Array;

  /** Resolves when the store can do nothing more in this process; the process must end. */
  readonly failed: Promise<Error>;

  /** Why it does not answer for now; undefined: it does. */
  away(): string | undefined;

  close(): Promise<void>;
}

/** A data key and its name, as base64url, as they lie in a store. */
export interface AccountsKey {
  readonly name: string;
  readonly key: Uint8Array;
}

export interface AccountsEntry {
  readonly subject: KeySubject;
  /** Null: it was destroyed. */
  readonly key: AccountsKey | null;
}

/** The accounts cannot be opened; the message is one clear line for the person at the terminal. */
export class AccountsUnusable extends Error {
  override readonly name = 'AccountsUnusable';
}

/** The accounts do not answer for now. */
export class AccountsAway extends Error {
  override readonly name = 'AccountsAway';
}
