import type { RawData, WebSocket } from 'ws';
import {
  linkRequest,
  mostLinkBytes,
  mostLinkRequests,
  mostRequestsAMessage,
  numberedList,
  type LinkAnswer,
  type LinkRequest,
} from '../schemas/command-link.ts';
import { jsonStructure } from '../schemas/json-structure.ts';
import { firstIssue } from '../schemas/parse.ts';
import { unavailable } from './answers.ts';
import type { CommandGateway } from './command-gateway.ts';
import type { SignedIn } from './command-side.ts';
import type { PresenceGateway } from './presence-gateway.ts';
import type { Warn } from './warn.ts';

/** What the requests are for. */
export interface LinkedCommands {
  readonly gateway: CommandGateway;
  readonly presence: PresenceGateway;
  readonly signIn: (token: string) => Promise<SignedIn>;
}

export interface CommandLinkSessionDeps {
  readonly commands: LinkedCommands;
  readonly isDraining: () => boolean;
  readonly warn: Warn;
}

/** Smaller ones are read as they are. */
const smallBytes = 65_536;
const mostDepth = 32;
const mostValues = 100_000;
const closing = { binary: 1003, notUnderstood: 1008, draining: 1012 } as const;

const draining: LinkAnswer = { is: 'draining' };

/** The connection of one process that hands requests over. They are begun in the order in which they stand in its messages. */
export class CommandLinkSession {
  readonly #ws: WebSocket;
  readonly #deps: CommandLinkSessionDeps;
  #underWay = 0;
  #bytes = 0;
  #answers: string[] = [];
  /** Of the requests that `#answers` answers. */
  #answeredBytes = 0;
  #idle: (() => void) | undefined;
  #wasHeard = true;
  readonly ended: Promise<void>;

  constructor(ws: WebSocket, deps: CommandLinkSessionDeps) {
    this.#ws = ws;
    this.#deps = deps;
    this.ended = new Promise((resolve) => ws.on('close', () => resolve()));
    ws.on('message', (data, isBinary) => this.#received(data, isBinary));
    ws.on('ping', () => (this.#wasHeard = true));
    ws.on('error', ({ message }) => deps.warn({ reason: message }, 'a connection for commands failed'));
  }

  get underWay(): number {
    return this.#underWay;
  }

  /** Whether it was heard since this was asked last: the other side pings. */
  takeHeard(): boolean {
    const wasHeard = this.#wasHeard;
    this.#wasHeard = false;
    return wasHeard;
  }

  /** Says that others are to be asked, answers what is under way, and closes. */
  async drain(): Promise<void> {
    this.#ws.send('[]');
    const idle = new Promise<void>((resolve) => (this.#idle = resolve));
    if (this.#underWay === 0) this.#idle?.();
    await Promise.race([idle, this.ended]);
    this.#ws.close(closing.draining);
  }

  terminate(): void {
    this.#ws.terminate();
  }

  #received(data: RawData, isBinary: boolean): void {
    this.#wasHeard = true;
    if (isBinary || !Buffer.isBuffer(data)) {
      this.#refuse(closing.binary, 'a message that is not text');
      return;
    }
    const requests = this.#read(data);
    if (requests === undefined) {
      this.#refuse(closing.notUnderstood, 'a message that is not understood');
      return;
    }
    const bytes = requests.length === 0 ? 0 : data.length / requests.length;
    for (const [number, body] of requests) {
      this.#underWay++;
      this.#bytes += bytes;
      void this.#carryOut(body).then((answer) => this.#answer(number, bytes, answer));
    }
    this.#keepBounds();
  }

  #read(data: Buffer): ReturnType<typeof numberedList> {
    if (data.length > smallBytes) {
      const { depth, values } = jsonStructure(data);
      if (depth > mostDepth || values > mostValues) return undefined;
    }
    try {
      return numberedList(JSON.parse(data.toString()), mostRequestsAMessage);
    } catch {
      return undefined;
    }
  }

  async #carryOut(body: unknown): Promise<LinkAnswer> {
    const { isDraining, warn } = this.#deps;
    if (isDraining()) return draining;
    const read = linkRequest.safeParse(body);
    if (!read.success) {
      // Of a process that is newer: another command side may know it.
      const reason = firstIssue(read.error);
      warn({ reason }, 'a request of another process is not understood');
      return { is: 'refused', rejection: unavailable('the command side does not know this command') };
    }
    try {
      return await this.#begin(read.data);
    } catch (error) {
      warn({ err: error, is: read.data.is }, 'a request of another process failed');
      return { is: 'refused', rejection: unavailable('the command side failed') };
    }
  }

  async #begin(request: LinkRequest): Promise<LinkAnswer> {
    const { gateway, presence, signIn } = this.#deps.commands;
    switch (request.is) {
      case 'command': {
        const answer = await gateway.submit(request.caller, request.command);
        if (!answer.ok) return { is: 'refused', rejection: answer.rejection };
        return { is: 'done', done: answer.done, ...(answer.repeated && { repeated: true }) };
      }
      case 'come-online':
        return { is: 'presence', said: await presence.comeOnline(request.user) };
      case 'go-offline':
        return { is: 'presence', said: await presence.goOffline(request.user, request.lastSeen) };
      case 'sign-in': {
        const signedIn = await signIn(request.token);
        if (!signedIn.ok) return { is: 'refused', rejection: signedIn.rejection };
        return { is: 'signed-in', caller: signedIn.caller, expiresAt: signedIn.expiresAt };
      }
      default:
        return request satisfies never;
    }
  }

  #answer(number: number, bytes: number, answer: LinkAnswer): void {
    this.#answeredBytes += bytes;
    // What is answered in one turn of the loop leaves in one message.
    if (this.#answers.push(`[${number},${JSON.stringify(answer)}]`) === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    const [count, bytes] = [this.#answers.length, this.#answeredBytes];
    const text = `[${this.#answers.join()}]`;
    this.#answers = [];
    this.#answeredBytes = 0;
    // Under way until the other side can have it: one that does not read its answers is not read from.
    this.#ws.send(text, () => {
      this.#underWay -= count;
      this.#bytes -= bytes;
      this.#keepBounds();
      if (this.#underWay === 0) this.#idle?.();
    });
  }

  #keepBounds(): void {
    const isFull = this.#underWay >= mostLinkRequests || this.#bytes >= mostLinkBytes;
    if (isFull && !this.#ws.isPaused) this.#ws.pause();
    else if (!isFull && this.#ws.isPaused) this.#ws.resume();
  }

  #refuse(code: number, reason: string): void {
    this.#deps.warn({ reason }, 'a connection for commands is closed');
    this.#ws.close(code);
    this.#ws.terminate();
  }
}
