import { WebSocket, type RawData } from 'ws';
import type { ServerFrame } from '../schemas/frames.ts';
import { signToken } from './tokens.ts';

/** How long a client waits before it tries again, in milliseconds; `hint` is what the server asked for. */
export type Retry = (hint: number | undefined) => number;

/** A device that wants nothing but to be connected and to have everything. */
class Connecting {
  cursor: string | null = null;
  readonly #token: string;
  readonly #storm: Storm;
  #socket: WebSocket | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(token: string, storm: Storm) {
    this.#token = token;
    this.#storm = storm;
  }

  open(): void {
    const headers = { authorization: `Bearer ${this.#token}` };
    const socket = new WebSocket(`ws://${this.#storm.address()}/v1/socket`, { headers, perMessageDeflate: false });
    this.#socket = socket;
    let hint: number | undefined;
    let isLive = false;
    socket.on('unexpected-response', (_request, response) => {
      hint = Number(response.headers['retry-after'] ?? 0) * 1_000;
      this.#storm.refused++;
      socket.terminate();
    });
    // What went wrong shows in the close that follows.
    socket.on('error', () => undefined);
    socket.on('message', (data: RawData) => {
      const frame = JSON.parse((data as Buffer).toString()) as ServerFrame;
      if (frame.type === 'welcome') socket.send(JSON.stringify({ type: 'resume', cursor: this.cursor }));
      if (frame.type === 'message' && frame.content?.type === 'text') this.#storm.hear(frame.content.text);
      if (frame.type === 'synced') {
        this.cursor = frame.cursor;
        if (frame.caughtUp && !isLive) {
          isLive = true;
          this.#storm.cameLive();
        }
      }
    });
    socket.on('close', () => {
      if (isLive) this.#storm.wentAway();
      if (!this.#storm.isOver) this.#timer = setTimeout(() => this.open(), this.#storm.retry(hint));
    });
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#socket?.terminate();
  }
}

/** Many devices of a few users, which come back whenever they are cut off, each by itself. */
export class Storm {
  readonly devices: readonly Connecting[];
  readonly address: () => string;
  retry: Retry;
  isOver = false;
  live = 0;
  /** Handshakes that the server refused by an answer. */
  refused = 0;
  /** How many devices were given a text, by the text. */
  readonly heard = new Map<string, number>();
  readonly #watchers = new Set<() => void>();

  constructor(users: readonly string[], devicesEach: number, address: () => string, retry: Retry) {
    this.address = address;
    this.retry = retry;
    this.devices = users.flatMap((user) =>
      Array.from({ length: devicesEach }, (_, index) => new Connecting(signToken(user, `device-${index}`), this)),
    );
  }

  begin(): void {
    for (const device of this.devices) device.open();
  }

  cameLive(): void {
    this.live++;
    this.#look();
  }

  wentAway(): void {
    this.live--;
  }

  hear(text: string): void {
    this.heard.set(text, (this.heard.get(text) ?? 0) + 1);
    this.#look();
  }

  #look(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  /** Resolves as soon as `condition` holds; it is looked at whenever a device comes live or hears a text. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const watcher = (): void => {
        if (!condition()) return;
        this.#watchers.delete(watcher);
        resolve();
      };
      this.#watchers.add(watcher);
      watcher();
    });
  }

  end(): void {
    this.isOver = true;
    for (const device of this.devices) device.end();
  }
}
