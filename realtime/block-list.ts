import { blockedAfter } from '../domain/user-settings.ts';
import type { UserId } from '../schemas/ids.ts';
import type { UserEvent } from '../schemas/user-events.ts';
import type { LoadedBlocked } from './load-blocked.ts';

interface Seen {
  readonly event: UserEvent;
  readonly revision: number;
}

/**
 * Whom a connected user blocks: loaded before its first frame of a conversation, then kept up to date by the router, which
 * shows every event of the user's stream in order. All sessions of the user share one.
 */
export class BlockList {
  readonly #read: () => Promise<LoadedBlocked>;
  #blocked: ReadonlySet<UserId> = new Set();
  #isErased = false;
  /** Of the last event in it; undefined: not read yet. */
  #revision: number | undefined;
  #loading: Promise<void> | undefined;
  /** What came while the list was being read: it may or may not be in what was read. */
  #meanwhile: Seen[] = [];

  constructor(read: () => Promise<LoadedBlocked>) {
    this.#read = read;
  }

  /** Whether messages of this author are placeholders to the user. */
  hides(author: UserId): boolean {
    return this.#blocked.has(author);
  }

  /** Whether the user was erased, as far as was read or seen. */
  get isErased(): boolean {
    return this.#isErased;
  }

  /** Reads the list, once; a failed attempt may be repeated. */
  load(): Promise<void> {
    return (this.#loading ??= this.#load().catch((error: unknown) => {
      this.#loading = undefined;
      this.#meanwhile = [];
      throw error;
    }));
  }

  /** Events of the user's stream were missed: it has to be read again. */
  forget(): void {
    this.#loading = undefined;
    this.#revision = undefined;
    this.#meanwhile = [];
  }

  see(event: UserEvent, revision: number): void {
    if (event.type === 'user-erased') this.#isErased = true;
    if (event.type !== 'user-blocked' && event.type !== 'user-unblocked') return;
    // A read that has not begun yet will find it.
    if (this.#loading === undefined) return;
    if (this.#revision === undefined) this.#meanwhile.push({ event, revision });
    else if (revision > this.#revision) {
      this.#blocked = blockedAfter(this.#blocked, event);
      this.#revision = revision;
    }
  }

  async #load(): Promise<void> {
    const { blocked, erased, revision } = await this.#read();
    this.#blocked = blocked;
    this.#isErased ||= erased;
    this.#revision = revision;
    const seen = this.#meanwhile;
    this.#meanwhile = [];
    for (const one of seen) this.see(one.event, one.revision);
  }
}
