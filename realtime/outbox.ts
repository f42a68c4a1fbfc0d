import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Flushable, FlushTurn } from './flush-turn.ts';

/** What may wait for one socket before the session stops adding messages to it, in bytes. */
export const outboxBytes = 1024 * 1024;
const drainedBytes = outboxBytes / 4;
/** Handed to the socket at once: what a slow peer has to take for its progress to be seen. */
const sliceBytes = 64 * 1024;
const mostFleeting = 100;

/**
 * The frames on their way to one socket, in order, each with its header (text-frame.ts). Who fills it looks at `full`
 * first. They go to the connection beside `ws`, which writes its own frames to it whole and at once.
 */
export class Outbox implements Flushable {
  readonly #ws: WebSocket;
  readonly #socket: Duplex;
  readonly #turn: FlushTurn;
  #frames: Buffer[] = [];
  #queuedBytes = 0;
  /** What waits until nothing else does, each the newest of its key. */
  #later: Map<string, Buffer> | undefined;
  /** The same for what is not worth waiting for. */
  #fleeting: Map<string, Buffer> | undefined;
  #progressed = false;
  #onDrained: (() => void)[] = [];
  #isWriting = false;
  readonly #onWritten = (error?: Error | null): void => {
    if (error === undefined || error === null) this.#written();
  };

  constructor(ws: WebSocket, socket: Duplex, turn: FlushTurn) {
    this.#ws = ws;
    this.#socket = socket;
    this.#turn = turn;
  }

  push(frame: Buffer): void {
    if (this.#frames.length === 0) this.#turn.mark(this);
    this.#frames.push(frame);
    this.#queuedBytes += frame.length;
  }

  /** Queues a frame behind all others, in place of one of the same key that still waits. */
  pushLater(key: string, frame: Buffer): void {
    if (this.#frames.length === 0) this.#turn.mark(this);
    this.#later ??= new Map();
    this.#later.delete(key);
    this.#later.set(key, frame);
  }

  /** The same, until the next `dropFleeting`; dropped at once when the socket does not keep up. */
  pushFleeting(key: string, frame: Buffer): void {
    this.#fleeting ??= new Map();
    if (this.unsentBytes > sliceBytes || this.#fleeting.size >= mostFleeting) return;
    if (this.#frames.length === 0) this.#turn.mark(this);
    this.#fleeting.set(key, frame);
  }

  dropFleeting(): void {
    this.#fleeting = undefined;
  }

  /** Bytes that the kernel has not taken. */
  get unsentBytes(): number {
    return this.#queuedBytes + this.#ws.bufferedAmount;
  }

  get full(): boolean {
    return this.unsentBytes > outboxBytes;
  }

  /** Whether the kernel took anything since this was last asked, or there was nothing to take. */
  madeProgress(): boolean {
    const progressed = this.#progressed || this.unsentBytes === 0;
    this.#progressed = false;
    return progressed;
  }

  /** Calls back once when most of what waits has gone; never if the socket ends before. */
  whenDrained(callback: () => void): void {
    if (this.unsentBytes <= drainedBytes) callback();
    else this.#onDrained.push(callback);
  }

  /** Hands over a slice, unless one is under way; the next follows by itself when the kernel has taken it. */
  flush(): void {
    if (!this.#isWriting) this.#write(this.#nextSlice());
  }

  /** Hands over everything, for a socket that is closed next. */
  flushAll(): void {
    this.#write(this.#all());
  }

  #all(): Buffer[] {
    const frames = this.#frames;
    if (this.#later !== undefined) frames.push(...this.#later.values());
    if (this.#fleeting !== undefined) frames.push(...this.#fleeting.values());
    this.#later = this.#fleeting = undefined;
    this.#frames = [];
    this.#queuedBytes = 0;
    return frames;
  }

  #nextSlice(): Buffer[] {
    if (this.#queuedBytes <= sliceBytes) return this.#all();
    let count = 0;
    for (let bytes = 0; bytes < sliceBytes; count++) bytes += this.#frames[count]?.length ?? sliceBytes;
    const slice = this.#frames.splice(0, count);
    for (const frame of slice) this.#queuedBytes -= frame.length;
    return slice;
  }

  #write(frames: readonly Buffer[]): void {
    const [first] = frames;
    // Nothing follows a close frame.
    if (first === undefined || this.#ws.readyState !== this.#ws.OPEN) return;
    this.#isWriting = true;
    this.#socket.write(frames.length === 1 ? first : Buffer.concat(frames), this.#onWritten);
  }

  #written(): void {
    this.#progressed = true;
    this.#isWriting = false;
    this.flush();
    if (this.#onDrained.length === 0 || this.unsentBytes > drainedBytes) return;
    const callbacks = this.#onDrained;
    this.#onDrained = [];
    for (const callback of callbacks) callback();
  }
}
