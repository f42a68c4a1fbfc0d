import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { ServerFrame, ServerFrameOf } from '../schemas/frames.ts';
import { uuidV7 } from '../schemas/ids.ts';
import { signToken } from './tokens.ts';

export const newId = (): string => uuidV7(Date.now(), crypto.getRandomValues(new Uint8Array(10)));

export interface Ended {
  readonly code: number;
  readonly reason: string;
}

type FrameType = ServerFrame['type'];

/** One socket, frame by frame, for tests of what is on the wire; `TestClient` is a whole device. */
export class WireClient {
  readonly frames: ServerFrame[] = [];
  readonly ws: WebSocket;
  readonly ended: Promise<Ended>;
  private seen = 0;
  private wake: (() => void) | undefined;
  private over: Ended | undefined;

  private constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on('message', (data) => {
      this.frames.push(JSON.parse((data as Buffer).toString()) as ServerFrame);
      this.wake?.();
    });
    // What went wrong shows in the close that follows.
    ws.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      ws.on('close', (code, reason) => {
        this.over = { code, reason: reason.toString() };
        resolve(this.over);
        this.wake?.();
      });
    });
  }

  /** A socket on which nothing was said but `welcome`. */
  static async open(
    port: number,
    user: string,
    device = 'phone',
    token = signToken(user, device),
  ): Promise<WireClient> {
    const client = new WireClient(
      new WebSocket(`ws://127.0.0.1:${port}/v1/socket`, {
        headers: { authorization: `Bearer ${token}` },
        perMessageDeflate: false,
      }),
    );
    await once(client.ws, 'open');
    await client.next('welcome');
    return client;
  }

  /** The same, resumed and live. */
  static async live(port: number, user: string, device = 'phone', cursor: string | null = null): Promise<WireClient> {
    const client = await WireClient.open(port, user, device);
    client.send({ type: 'resume', cursor });
    await client.next('synced', ({ caughtUp }) => caughtUp);
    return client;
  }

  send(frame: object | string | Buffer): void {
    this.ws.send(typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame));
  }

  text(conversationId: string, text: string, messageId = newId()): void {
    this.send({ type: 'send', messageId, conversationId, content: { type: 'text', text } });
  }

  /** The next frame of a type, after those already asked for; rejects when the socket ends without one. */
  async next<T extends FrameType>(
    type: T,
    fits: (frame: ServerFrameOf<T>) => boolean = () => true,
  ): Promise<ServerFrameOf<T>> {
    for (;;) {
      for (let frame = this.frames[this.seen]; frame !== undefined; frame = this.frames[this.seen]) {
        this.seen++;
        if (isOf(frame, type) && fits(frame)) return frame;
      }
      if (this.over !== undefined) throw new Error(`the socket ended with ${this.over.code} before a frame ${type}`);
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  of<T extends FrameType>(type: T): ServerFrameOf<T>[] {
    return this.frames.filter((frame): frame is ServerFrameOf<T> => isOf(frame, type));
  }

  /** Sends a command and waits for its answer. */
  async ask(frame: object): Promise<ServerFrameOf<'accepted'>> {
    const commandId = newId();
    this.send({ commandId, ...frame });
    const answer = await this.answerTo(commandId);
    if (answer.type === 'rejected') throw new Error(`${answer.code}: ${answer.message}`);
    return answer;
  }

  /** The same for a command on the user's own account. */
  async save(frame: object): Promise<void> {
    const commandId = newId();
    this.send({ commandId, ...frame });
    for (;;) {
      const answer = this.frames.find((one) => 'commandId' in one && one.commandId === commandId);
      if (answer?.type === 'saved') return;
      if (answer !== undefined || this.over !== undefined) throw new Error(`not saved: ${JSON.stringify(answer)}`);
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  /** Frames passed over stay in `frames`. */
  async answerTo(id: string): Promise<ServerFrameOf<'accepted'> | ServerFrameOf<'rejected'>> {
    for (let looked = 0; ;) {
      for (let frame = this.frames[looked]; frame !== undefined; frame = this.frames[looked]) {
        looked++;
        if (frame.type !== 'accepted' && frame.type !== 'rejected') continue;
        if (frame.messageId === id || frame.commandId === id) return frame;
      }
      if (this.over !== undefined) throw new Error(`the socket ended with ${this.over.code} before an answer`);
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  async close(): Promise<void> {
    this.ws.close();
    await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.ws.terminate();
    await this.ended;
  }
}

const isOf = <T extends FrameType>(frame: ServerFrame, type: T): frame is ServerFrameOf<T> => frame.type === type;
