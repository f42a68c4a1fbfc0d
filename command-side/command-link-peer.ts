import { WebSocket, type RawData } from 'ws';
import {
  commandLinksPath,
  commandLinksProtocol,
  linkAnswer,
  linkMessageBytes,
  mostLinkBytes,
  mostLinkRequests,
  mostRequestsAMessage,
  numberedList,
  type LinkAnswer,
} from '../schemas/command-link.ts';
import type { RandomBytes } from './clock.ts';
import { unavailable } from './answers.ts';
import type { LanePeer } from './command-link-lanes.ts';
import type { LinkedRequest } from './command-link-request.ts';

export interface CommandLinkPeerDeps {
  readonly address: string;
  readonly internalToken: string;
  readonly monotonic: () => number;
  readonly randomBytes: RandomBytes;
  readonly warn: (details: Readonly<Record<string, unknown>>, message: string) => void;
  readonly answered: (request: LinkedRequest, answer: LinkAnswer) => void;
  /** It will not answer these: oldest first. */
  readonly returned: (requests: readonly LinkedRequest[]) => void;
  /** It can take more than before. */
  readonly madeRoom: () => void;
  readonly roundTrip: (milliseconds: number) => void;
}

/** A command side that is slow to answer still answers pings; one that does not is cut off within two of them. */
const pingMs = 2_500;
const mostUnansweredPings = 2;
const handshakeMs = 5_000;
const shortestWaitMs = 50;
const longestWaitMs = 2_000;
/** Connections to one that answers pings and nothing else are made, so others get its requests for a while. */
const mutedMs = 5_000;
const mostAnswerBytes = 4 * 1_024 * 1_024;
const mostAnswersAMessage = mostLinkRequests;

/** The connection to one command side, made again whenever it ended. */
export class CommandLinkPeer implements LanePeer {
  readonly address: string;
  readonly #deps: CommandLinkPeerDeps;
  readonly #underWay = new Map<number, LinkedRequest>();
  #bytes = 0;
  #outgoing: LinkedRequest[] = [];
  #ws: WebSocket | undefined;
  #state: 'away' | 'open' | 'draining' | 'closed' = 'away';
  #why = 'not connected yet';
  #wasOpen = true;
  #unansweredPings = 0;
  #pingedAt = 0;
  #openedAt = 0;
  #answeredAt = 0;
  #failures = 0;
  #restMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: CommandLinkPeerDeps) {
    this.#deps = deps;
    this.address = deps.address;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get hasRoom(): boolean {
    return this.#state === 'open' && this.#underWay.size < mostLinkRequests && this.#bytes < mostLinkBytes;
  }

  get underWay(): number {
    return this.#underWay.size;
  }

  /** For people. */
  get state(): string {
    if (this.#state === 'open') return 'ok';
    return this.#state === 'draining' ? 'draining' : this.#why;
  }

  connect(): void {
    const { address, internalToken } = this.#deps;
    const ws = new WebSocket(new URL(commandLinksPath, address), commandLinksProtocol, {
      headers: { authorization: `Bearer ${internalToken}` },
      handshakeTimeout: handshakeMs,
      perMessageDeflate: false,
      maxPayload: mostAnswerBytes,
      followRedirects: false,
    });
    this.#ws = ws;
    ws.on('open', () => this.#opened());
    ws.on('message', (data, isBinary) => this.#received(ws, data, isBinary));
    ws.on('pong', () => (this.#unansweredPings = 0));
    ws.on('error', ({ message }) => (this.#why = message));
    ws.on('close', (code) => this.#ended(code));
  }

  send(request: LinkedRequest): void {
    this.#underWay.set(request.number, request);
    this.#bytes += request.bytes;
    // What comes up in one turn of the loop leaves in one message.
    if (this.#outgoing.push(request) === 1) setImmediate(() => this.#flush());
  }

  owes({ sentAt }: LinkedRequest): void {
    if (this.#answeredAt >= sentAt) return;
    this.#restMs = mutedMs;
    this.#cut('it answers nothing');
  }

  /** Called several times a second. */
  sweep(): void {
    const now = this.#deps.monotonic();
    if (this.#ws?.readyState !== WebSocket.OPEN || now - this.#pingedAt < pingMs) return;
    if (this.#unansweredPings >= mostUnansweredPings) {
      this.#cut('it does not answer pings');
      return;
    }
    // Counted, not timed: a process that was stopped itself gives the answers that wait for it a chance to be read.
    this.#unansweredPings++;
    this.#pingedAt = now;
    this.#ws.ping();
  }

  close(): void {
    this.#state = 'closed';
    this.#why = 'closed';
    clearTimeout(this.#timer);
    this.#outgoing = [];
    this.#underWay.clear();
    this.#ws?.terminate();
  }

  #opened(): void {
    if (this.#state === 'closed') return;
    this.#state = 'open';
    this.#why = '';
    this.#unansweredPings = 0;
    this.#openedAt = this.#pingedAt = this.#deps.monotonic();
    if (!this.#wasOpen) this.#deps.warn({ address: this.address }, 'a command side is back');
    this.#wasOpen = true;
    this.#deps.madeRoom();
  }

  #flush(): void {
    const requests = this.#outgoing;
    this.#outgoing = [];
    let texts: string[] = [];
    let bytes = 0;
    const message = (): void => {
      if (texts.length > 0) this.#ws?.send(`[${texts.join()}]`);
      texts = [];
      bytes = 0;
    };
    for (const request of requests) {
      const isFull = texts.length >= mostRequestsAMessage || bytes + request.bytes > linkMessageBytes;
      if (isFull) message();
      texts.push(request.text);
      bytes += request.bytes;
    }
    message();
  }

  #received(ws: WebSocket, data: RawData, isBinary: boolean): void {
    if (ws !== this.#ws || this.#state === 'closed') return;
    this.#unansweredPings = 0;
    const answers = isBinary || !Buffer.isBuffer(data) ? undefined : this.#read(data);
    if (answers === undefined) {
      this.#cut('it says what this process does not understand');
      return;
    }
    const now = (this.#answeredAt = this.#deps.monotonic());
    // An empty list: it begins to drain.
    if (answers.length === 0) this.#left();
    for (const [number, body] of answers) {
      const request = this.#underWay.get(number);
      if (request === undefined) continue;
      this.#underWay.delete(number);
      this.#bytes -= request.bytes;
      const read = linkAnswer.safeParse(body);
      const answer: LinkAnswer = read.success
        ? read.data
        : { is: 'refused', rejection: unavailable('a command side answered what is not understood') };
      if (answer.is === 'draining' || (answer.is === 'refused' && answer.rejection.code === 'draining')) {
        this.#left();
        this.#deps.returned([request]);
      } else {
        this.#deps.roundTrip(now - request.sentAt);
        this.#deps.answered(request, answer);
      }
    }
    if (this.#state === 'draining' && this.#underWay.size === 0) ws.close(1000);
    this.#deps.madeRoom();
  }

  #read(data: Buffer): ReturnType<typeof numberedList> {
    try {
      return numberedList(JSON.parse(data.toString()), mostAnswersAMessage);
    } catch {
      return undefined;
    }
  }

  /** It takes nothing more; what it has it answers. */
  #left(): void {
    if (this.#state !== 'open') return;
    this.#state = 'draining';
    this.#deps.warn({ address: this.address }, 'a command side is shutting down');
  }

  #cut(why: string): void {
    this.#why = why;
    this.#ws?.terminate();
  }

  #ended(code: number): void {
    if (this.#state === 'closed') return;
    const { monotonic, randomBytes, warn, returned } = this.#deps;
    const wasOpen = this.#state !== 'away';
    if (this.#why === '') this.#why = `its connection ended with ${code}`;
    this.#state = 'away';
    this.#ws = undefined;
    const requests = [...this.#underWay.values()];
    this.#underWay.clear();
    this.#outgoing = [];
    this.#bytes = 0;
    if (this.#wasOpen) warn({ address: this.address, reason: this.#why }, 'a command side is away');
    this.#wasOpen = false;
    if (wasOpen && monotonic() - this.#openedAt >= longestWaitMs) this.#failures = 0;
    const most = Math.min(longestWaitMs, shortestWaitMs * 2 ** this.#failures++);
    const wait = ((randomBytes(1)[0] ?? 0) / 256) * most + this.#restMs;
    this.#restMs = 0;
    this.#timer = setTimeout(() => this.connect(), wait);
    returned(requests);
  }
}
