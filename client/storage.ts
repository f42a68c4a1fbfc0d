/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json | undefined };

/** New values by key; null removes a key. */
export type Changes = ReadonlyMap<string, Json>;

/** Where a client keeps what must outlive it. It belongs to one client at a time. */
export interface ClientStorage {
  /** Everything stored; called once, before the first commit. */
  load(): Promise<ReadonlyMap<string, Json>>;
  /**
   * Resolves when the changes are durable. They are there whole or not at all, and never without those of every commit
   * before: so a cursor is never there without the frames it covers. One commit at a time is under way. After a rejection
   * nothing is committed any more.
   */
  commit(changes: Changes): Promise<void>;
  /** Gives it free for another client. */
  close(): Promise<void>;
}
