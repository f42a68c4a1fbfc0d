import { Store, type AppendOutcome } from './store.ts';
import type { ExpectedRevision, ProposedEvent } from './stored-event.ts';

/** The store, and who waits for what is new in it. */
export class Log {
  readonly store: Store;
  private readonly waiting = new Set<() => void>();

  constructor(path: string) {
    this.store = new Store(path);
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

  /** Until something is appended, or `signal` says to stop. */
  grown(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.waiting.add(done);
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
    });
  }

  close(): void {
    this.store.close();
  }

  private told(outcome: AppendOutcome): AppendOutcome {
    if (outcome.kind === 'appended') for (const done of [...this.waiting]) done();
    return outcome;
  }
}
