import { WebSocket, type RawData } from 'ws';
import type { MessageContent } from '../schemas/content.ts';
import { errors, type ErrorCode } from '../schemas/errors.ts';
import type { z } from 'zod';
import type { command, ConversationCommand } from '../schemas/commands.ts';
import { uuidV7 } from '../schemas/ids.ts';
import type { ServerFrame, ServerFrameOf } from '../schemas/frames.ts';
import type { Answer, Recorder } from './recorder.ts';

export interface ClientOptions {
  /** Asked at every connection: a server that is started again has another port, and none until it listens. */
  readonly address: () => Promise<string>;
  readonly token: string;
  readonly device: string;
  readonly recorder: Recorder;
  /** Ids name a time; a test that jumps clocks passes its own. */
  readonly now?: () => number;
}

export type Outcome =
  { readonly ok: true; readonly answer: Answer } | { readonly ok: false; readonly frame: ServerFrameOf<'rejected'> };

/** What a test client says: the commands on a conversation's stream. */
type Given = Extract<z.input<typeof command>, { type: ConversationCommand['type'] }>;
/** A command as a test writes it: without its id, and with ids as the plain strings a client holds. */
export type Draft = Given extends infer C
  ? C extends { type: 'send' }
    ? Omit<C, 'messageId'>
    : Omit<C, 'commandId'>
  : never;

/** Nothing was written and asking again is no use; an id ahead of the server's clock would have to wait for it. */
export const isFinal = (code: ErrorCode): boolean => errors[code].retry === 'never' || code === 'id_time_ahead';

/** Short, because a test waits for it; spread, because many clients wait for the same server. */
const longestRetryMs = 200;

interface Waiting {
  readonly command: string;
  readonly draft: Draft;
  readonly frame: string;
  readonly resolve: (outcome: Outcome) => void;
  sent: boolean;
}

export interface StoredMessage {
  readonly seq: number;
  readonly id: string;
  readonly by: string;
  readonly text: string;
}

/**
 * A device as the protocol wants it: resumes from its cursor, stores frames before the cursor, and sends every command
 * again with the same id, in order, until it has an answer that stands. Everything it does and sees goes to the recorder.
 */
export class TestClient {
  /** Known from the first welcome. */
  userId = '';
  cursor: string | null = null;
  /** Code of the last close. */
  closedWith: number | undefined;
  readonly conversations = new Map<string, Map<number, StoredMessage>>();
  readonly errors: ServerFrameOf<'error'>[] = [];
  private readonly waiting = new Map<string, Waiting>();
  private readonly watchers = new Set<() => void>();
  private readonly options: ClientOptions;
  private socket: WebSocket | undefined;
  private connection = 0;
  private live = false;
  private wanted = false;
  private retry: NodeJS.Timeout | undefined;

  constructor(options: ClientOptions) {
    this.options = options;
  }

  /** Connects, and again after every loss until `close`; resolves when it has caught up. */
  async connect(): Promise<this> {
    this.wanted = true;
    void this.open();
    await this.until(() => this.live);
    return this;
  }

  /** Goes away; commands without an answer stay unanswered. */
  async close(): Promise<void> {
    this.wanted = false;
    clearTimeout(this.retry);
    const { socket } = this;
    if (socket === undefined) return;
    socket.resume();
    socket.close(1000);
    await this.until(() => this.socket === undefined);
  }

  /** What a stuck device looks like: the connection stands, and nobody takes what comes. */
  stopReading(): void {
    this.socket?.pause();
  }

  readAgain(): void {
    this.socket?.resume();
  }

  /** What a lost network looks like: no closing handshake. */
  drop(): void {
    this.socket?.terminate();
  }

  text(conversationId: string, said: string): Promise<Outcome> {
    return this.submit({ type: 'send', conversationId, content: { type: 'text', text: said } });
  }

  newId(): string {
    return uuidV7((this.options.now ?? Date.now)(), crypto.getRandomValues(new Uint8Array(10)));
  }

  submit(draft: Draft, id = this.newId()): Promise<Outcome> {
    const named = draft.type === 'send' ? { messageId: id } : { commandId: id };
    const before = this.waiting.get(id);
    return new Promise((resolve) => {
      const waiting = {
        command: draft.type,
        draft,
        frame: JSON.stringify({ ...draft, ...named }),
        // The same id may be under way twice: one answer serves both.
        resolve: (outcome: Outcome): void => {
          before?.resolve(outcome);
          resolve(outcome);
        },
        sent: false,
      };
      this.waiting.set(id, waiting);
      this.record('invoke', id, waiting);
      if (this.live) this.transmit(waiting);
    });
  }

  raw(data: string | Uint8Array): void {
    this.socket?.send(data);
  }

  /** Messages of a conversation in the order of their seq. */
  messages(conversationId: string): StoredMessage[] {
    return [...(this.conversations.get(conversationId)?.values() ?? [])].toSorted((a, b) => a.seq - b.seq);
  }

  /** Resolves as soon as `condition` holds; it is looked at after everything that reaches this client. */
  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve) => {
      const watcher = (): void => {
        if (!condition()) return;
        this.watchers.delete(watcher);
        resolve();
      };
      this.watchers.add(watcher);
    });
  }

  hasUpTo(conversationId: string, seq: number): Promise<void> {
    return this.until(() => (this.conversations.get(conversationId)?.has(seq) ?? false) || seq === 0);
  }

  /** Nothing is missing from its first message on: its own come with their answers, perhaps before those of others. */
  hasAllUpTo(conversationId: string, seq: number): Promise<void> {
    return this.until(() => {
      const held = this.conversations.get(conversationId);
      const first = Math.min(...(held?.keys() ?? [Infinity]));
      return held !== undefined && held.has(seq) && held.size === seq - first + 1;
    });
  }

  get unanswered(): number {
    return this.waiting.size;
  }

  private async open(): Promise<void> {
    const address = await this.options.address().catch(() => undefined);
    if (!this.wanted) return;
    if (address === undefined) {
      this.openAgain();
      return;
    }
    const socket = new WebSocket(`ws://${address}/v1/socket`, {
      headers: { authorization: `Bearer ${this.options.token}` },
      perMessageDeflate: false,
    });
    this.socket = socket;
    let connection: number | undefined;
    socket.on('message', (data: RawData) => {
      const frame = JSON.parse((data as Buffer).toString()) as ServerFrame;
      if (frame.type === 'welcome') {
        this.userId = frame.userId;
        connection = this.resume(socket);
      }
      this.options.recorder.received(this.connection, frame);
      this.receive(frame);
      if (frame.type === 'reset') connection = this.resume(socket);
      this.look();
    });
    // What went wrong shows in the close that follows.
    socket.on('error', () => undefined);
    socket.on('close', (code) => {
      if (connection !== undefined) this.options.recorder.disconnected(connection, code);
      this.closedWith = code;
      this.socket = undefined;
      this.live = false;
      for (const [id, waiting] of this.waiting) {
        if (waiting.sent) this.record('unknown', id, waiting);
        waiting.sent = false;
      }
      if (this.wanted) this.openAgain();
      this.look();
    });
  }

  private openAgain(): void {
    this.retry = setTimeout(() => void this.open(), Math.random() * longestRetryMs);
  }

  private look(): void {
    for (const watcher of this.watchers) watcher();
  }

  private receive(frame: ServerFrame): void {
    if (frame.type === 'message') {
      this.store(frame.conversationId, frame.seq, frame.messageId, frame.by, frame.content);
    }
    if (frame.type === 'accepted') this.answered(frame.messageId ?? frame.commandId ?? '', frame);
    if (frame.type === 'rejected') this.refused(frame.messageId ?? frame.commandId ?? '', frame);
    if (frame.type === 'error') this.errors.push(frame);
    if (frame.type === 'synced') {
      this.cursor = frame.cursor;
      if (frame.caughtUp && !this.live) this.goLive();
    }
    if (frame.type === 'reset') {
      this.cursor = null;
      this.conversations.clear();
    }
  }

  private resume(socket: WebSocket): number {
    this.connection = this.options.recorder.connected(this.userId, this.options.device, this.cursor);
    socket.send(JSON.stringify({ type: 'resume', cursor: this.cursor }));
    return this.connection;
  }

  private store(conversationId: string, seq: number, id: string, by: string, content: MessageContent | null): void {
    const stored = this.conversations.get(conversationId) ?? new Map<number, StoredMessage>();
    this.conversations.set(conversationId, stored);
    stored.set(seq, { seq, id, by, text: content?.type === 'text' ? content.text : '' });
  }

  private goLive(): void {
    this.live = true;
    for (const waiting of this.waiting.values()) this.transmit(waiting);
  }

  private transmit(waiting: Waiting): void {
    waiting.sent = true;
    this.socket?.send(waiting.frame);
  }

  private answered(id: string, { conversationId, seq, time, chain }: ServerFrameOf<'accepted'>): void {
    const waiting = this.waiting.get(id);
    if (waiting === undefined) return;
    const answer: Answer = { conversationId, seq, time, chain };
    this.waiting.delete(id);
    const { draft } = waiting;
    if (draft.type === 'send' && seq !== undefined) this.store(conversationId, seq, id, this.userId, draft.content);
    this.record('ok', id, waiting, { answer });
    waiting.resolve({ ok: true, answer });
  }

  private refused(id: string, frame: ServerFrameOf<'rejected'>): void {
    const waiting = this.waiting.get(id);
    if (waiting === undefined) return;
    const final = isFinal(frame.code);
    this.record(final ? 'fail' : 'unknown', id, waiting, { code: frame.code });
    if (final) {
      this.waiting.delete(id);
      waiting.resolve({ ok: false, frame });
    } else {
      const again = (): void => {
        if (this.live && this.waiting.get(id) === waiting) this.transmit(waiting);
      };
      setTimeout(again, Math.min(frame.retryAfterMs ?? 100, 1_000));
    }
  }

  private record(
    is: 'invoke' | 'ok' | 'fail' | 'unknown',
    id: string,
    { command, draft }: Waiting,
    more: { readonly answer?: Answer; readonly code?: string } = {},
  ): void {
    this.options.recorder.operation({
      is,
      id,
      command,
      user: this.userId,
      device: this.options.device,
      conversation: 'conversationId' in draft ? draft.conversationId : undefined,
      content: draft.type === 'send' ? draft.content : undefined,
      ...more,
    });
  }
}
