import type { WebSocket } from 'ws';
import type { Outbox } from './outbox.ts';

const mostInFlight = 256;

/**
 * What the frames of one socket have under way. A client that sends without reading, or faster than its commands are
 * decided, is not read from meanwhile.
 */
export class Intake {
  readonly #ws: WebSocket;
  readonly #outbox: Outbox;
  #inFlight = 0;
  #awaitsDrain = false;

  constructor(ws: WebSocket, outbox: Outbox) {
    this.#ws = ws;
    this.#outbox = outbox;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  begin(): void {
    this.#inFlight++;
  }

  /** Once what the work adds to the outbox is in it. */
  end(): void {
    this.#inFlight--;
    this.keepBounds();
  }

  /** Counts work that adds nothing to the outbox by itself. */
  async count<T>(work: Promise<T>): Promise<T> {
    this.begin();
    try {
      return await work;
    } finally {
      this.end();
    }
  }

  /** After anything was begun or queued. */
  keepBounds(): void {
    const { full } = this.#outbox;
    if (!this.#ws.isPaused) {
      if (this.#inFlight < mostInFlight && !full) return;
      this.#ws.pause();
    } else if (this.#inFlight <= mostInFlight / 2 && !full) this.#ws.resume();
    // Also when it was paused for its commands: their answers may fill the outbox, and after the last nobody asks again.
    if (full && !this.#awaitsDrain) {
      this.#awaitsDrain = true;
      this.#outbox.whenDrained(() => {
        this.#awaitsDrain = false;
        this.keepBounds();
      });
    }
  }
}
