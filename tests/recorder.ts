import type { MessageContent } from '../schemas/content.ts';
import type { ServerFrame } from '../schemas/frames.ts';

/** The body and address of a client's operation, and what was answered. Times are the recorder's, in milliseconds. */
export interface Operation {
  /** `unknown`: no answer came, or one that leaves the fate open. */
  readonly is: 'invoke' | 'ok' | 'fail' | 'unknown';
  readonly time: number;
  readonly user: string;
  readonly device: string;
  readonly command: string;
  /** The `messageId` of a send, the `commandId` of any other command. */
  readonly id: string;
  /** Not known before the answer where the server derives it. */
  readonly conversation?: string | undefined;
  /** Of a send. */
  readonly content?: MessageContent | undefined;
  readonly answer?: Answer | undefined;
  /** Why it failed: a code of the table. */
  readonly code?: string | undefined;
}

export interface Answer {
  readonly conversationId: string;
  readonly seq?: number | undefined;
  readonly time: number;
  readonly chain: string;
}

export interface Connected {
  readonly is: 'connected';
  readonly time: number;
  readonly user: string;
  readonly device: string;
  /** One number per connection, rising. */
  readonly connection: number;
  /** What the device resumed from. */
  readonly cursor: string | null;
}

export interface Received {
  readonly is: 'received';
  readonly time: number;
  readonly connection: number;
  readonly frame: ServerFrame;
}

export interface Disconnected {
  readonly is: 'disconnected';
  readonly time: number;
  readonly connection: number;
  readonly code: number;
}

export type HistoryEntry = Operation | Connected | Received | Disconnected;

/** The one history of a run: every operation of every client and every frame that reached one, in the order seen. */
export class Recorder {
  readonly history: HistoryEntry[] = [];
  private connections = 0;
  private readonly monotonic: () => number;

  constructor(monotonic: () => number = () => performance.timeOrigin + performance.now()) {
    this.monotonic = monotonic;
  }

  operation(operation: Omit<Operation, 'time'>): void {
    this.history.push({ ...operation, time: this.monotonic() });
  }

  connected(user: string, device: string, cursor: string | null): number {
    const connection = ++this.connections;
    this.history.push({ is: 'connected', time: this.monotonic(), user, device, connection, cursor });
    return connection;
  }

  received(connection: number, frame: ServerFrame): void {
    this.history.push({ is: 'received', time: this.monotonic(), connection, frame });
  }

  disconnected(connection: number, code: number): void {
    this.history.push({ is: 'disconnected', time: this.monotonic(), connection, code });
  }
}
