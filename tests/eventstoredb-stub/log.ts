import { Store, type AppendOutcome } from './store.ts';
import type { ExpectedRevision, ProposedEvent } from './stored-event.ts';

/** The store, and who waits for what is new in it. */
export class Log {
  readonly store: Store;
  /** How often it has grown. */
  generation = 0;
  private readonly waiting = new Set<() => void>();
  private telling: NodeJS.Immediate | undefined;
  private readonly closing = new AbortController();

  constructor(path: string, loseNewest: number) {
    this.store = new Store(path, loseNewest);
  }

  /** Whoever still works with it has to stop. */
  get closed(): AbortSignal {
    return this.closing.signal;
  }

  append(stream: string, expected: ExpectedRevision, events: readonly ProposedEvent[]): AppendOutcome {
    return this.told(this.store.append(stream, expected, events));
  }

  deleteSoftly(stream: string, expected: ExpectedRevision): AppendOutcome {
    return this.told(this.store.deleteSoftly(stream, expected));
  }

  tombstone(stream: string, expected: ExpectedRevision): AppendOutcome {
    return this.told(this.store.tombstone(stream, expected));
  }

  /** When the log is no longer as it was at `generation`, or `signal` says to stop. */
  grown(generation: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.waiting.add(done);
      signal.addEventListener('abort', done);
      if (signal.aborted || this.generation !== generation) done();
    });
  }

  /** Has whoever waits look again. */
  tell(): void {
    this.generation += 1;
    // Once for all that comes in one turn, so that a follower reads it in one go.
    this.telling ??= setImmediate(() => {
      this.telling = undefined;
      for (const done of [...this.waiting]) done();
    });
  }

  close(): void {
    this.closing.abort();
    clearImmediate(this.telling);
    this.store.close();
  }

  private told(outcome: AppendOutcome): AppendOutcome {
    if (outcome.kind === 'appended') this.tell();
    return outcome;
  }
}
