/** Something that has bytes to hand to its socket. */
export interface Flushable {
  flush(): void;
}

/** In one turn: a write costs some microseconds, and what ten thousand sockets get must not hold up the rest for so long. */
const mostFlushed = 500;

/**
 * The end of a turn of the event loop: first what was read from the log is delivered, then every outbox with frames is
 * flushed, once and in the order in which they got something, as many as one turn may hold. By then the answers to the commands committed in this turn are queued too, so that a socket gets its
 * answers and others' messages in one write.
 */
export class FlushTurn {
  #dirty: Flushable[] = [];
  #deliver: (() => void) | undefined;
  #scheduled = false;
  readonly #run = (): void => this.#end();
  readonly #flushed: () => void;

  /** `flushed` is called when everything that waited is written. */
  constructor(flushed: () => void) {
    this.#flushed = flushed;
  }

  /** Flushes an outbox at the end of the turn; called once for each time it stops being empty. */
  mark(outbox: Flushable): void {
    this.#dirty.push(outbox);
    this.#schedule();
  }

  /** Runs `deliver` at the end of the turn, before the outboxes are flushed. One at a time. */
  beforeFlush(deliver: () => void): void {
    this.#deliver = deliver;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#run);
  }

  #end(): void {
    this.#scheduled = false;
    const deliver = this.#deliver;
    this.#deliver = undefined;
    deliver?.();
    const due = this.#dirty;
    this.#dirty = due.splice(mostFlushed);
    for (const outbox of due) outbox.flush();
    if (this.#dirty.length > 0) this.#schedule();
    else this.#flushed();
  }
}
