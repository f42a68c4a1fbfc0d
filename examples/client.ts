// A Parley client on one page, written from docs/protocol.md alone; the § below are its sections. It needs nothing but `ws`.
//
//   listen TOKEN [--url URL] [--store FILE]            print what comes, for ever
//   say TOKEN NAME TEXT [--url URL]                    send one text to NAME, print the seq it got
//   talk TOKEN --store FILE [--url URL] [--verbose]    obey lines on stdin: `@NAME text`, `/group TITLE NAME…`,
//                                                      `#<conversationId> text`, `/quit`; in texts \n is a new line, \\ a backslash

import { randomBytes } from 'node:crypto';
import { existsSync, fsyncSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import WebSocket from 'ws';

/** The fields this client looks at; frames and fields it does not know are ignored, as §3 asks. */
interface Frame
  extends
    Partial<Record<'messageId' | 'commandId' | 'conversationId' | 'userId' | 'by' | 'code' | 'message', string>>,
    Partial<Record<'seq' | 'visibleFrom' | 'time' | 'version' | 'retryAfterMs', number>> {
  type: string;
  cursor?: string | null;
  content?: { type: string; text?: string } | null;
  hidden?: boolean;
  caughtUp?: boolean;
}
/** What a command asks for, before it has an id. */
type Wish = Frame & { name?: string; members?: { name: string }[]; with?: { name: string } };
/** A command without a final answer. `to` is `@NAME` where the conversation may still have to be opened. */
interface Queued {
  type: 'queued';
  frame: Frame;
  to?: string;
}

const idOf = (frame: Frame) => frame.messageId ?? frame.commandId ?? 'none';
const escape = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
const unescape = (text: string) => text.replace(/\\([\\nr])/g, (_, c) => (c === 'n' ? '\n' : c === 'r' ? '\r' : '\\'));

/** A UUIDv7 (§4) with the server's time, as far as it is known. */
function newId(time: number): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(time, 0, 6);
  bytes.writeUInt8(0x70 | (bytes.readUInt8(6) & 0x0f), 6);
  bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/**
 * What the client holds: a fold over its journal, one line of JSON per thing that happened. A line counts whole or not at all, and none
 * counts after a broken one: so a cursor is believed only if all that came before it was stored (§6, `synced`).
 */
class Store {
  cursor: string | null = null;
  messages = new Map<string, Map<number, Frame>>();
  opened = new Map<string, string>();
  outbox: Queued[] = [];
  #file: number | undefined;

  constructor(path: string | undefined) {
    if (path === undefined) return;
    const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
    let whole = 0;
    for (let end = bytes.indexOf('\n'); end >= 0; end = bytes.indexOf('\n', whole)) {
      try {
        this.#apply(JSON.parse(bytes.toString('utf8', whole, end)) as Frame | Queued);
      } catch {
        break;
      }
      whole = end + 1;
    }
    if (whole < bytes.length) truncateSync(path, whole);
    this.#file = openSync(path, 'a');
  }

  /** Takes a thing in and writes it down, unless it changes nothing: then false. */
  record(event: Frame | Queued): boolean {
    if (!this.#apply(event)) return false;
    if (this.#file === undefined) return true;
    writeSync(this.#file, JSON.stringify(event) + '\n');
    if ('frame' in event) fsyncSync(this.#file); // a command must outlive us before it is sent
    return true;
  }

  #apply(event: Frame | Queued): boolean {
    if ('frame' in event) return this.outbox.push(event) > 0;
    const { type, conversationId = '', seq = 0, version = 0, content } = event;
    const messages = this.messages.get(conversationId) ?? new Map<number, Frame>();
    const held = messages.get(seq);
    if (type === 'synced') {
      if (this.cursor === event.cursor) return false;
      this.cursor = event.cursor ?? null;
    } else if (type === 'message') {
      if (held) return false; // again, after a resume
      this.messages.set(conversationId, messages.set(seq, event));
    } else if (type === 'edited' || type === 'deleted') {
      if (!held || version <= (held.version ?? 0)) return false; // older than what we hold (§4)
      messages.set(seq, { ...held, version, content: content === undefined ? { type } : content }); // the place stays
    } else if (type === 'accepted' || type === 'rejected') {
      const item = this.outbox.find(({ frame }) => idOf(frame) === idOf(event));
      if (!item) return false;
      this.outbox.splice(this.outbox.indexOf(item), 1);
      const waiting = this.outbox.filter(({ to, frame }) => to && to === item.to && !frame.conversationId);
      if (type === 'rejected') this.outbox = this.outbox.filter((other) => !waiting.includes(other));
      else for (const { frame } of waiting) frame.conversationId = conversationId;
      if (type === 'accepted' && item.to) this.opened.set(item.to, conversationId);
      if (type === 'accepted' && seq > 0) return this.#apply({ ...item.frame, ...event, type: 'message' }) || true; // in its place (§6)
    } else if (type === 'reset') {
      this.cursor = null; // all that came from the server is void; what it has not answered stays to be sent
      this.messages.clear();
      this.opened.clear();
    } else return false;
    return true;
  }
}

/** The ends of a connection that coming back does not cure (§7). */
const FINAL = [1002, 1003, 1007, 1009, 4401];
/** The codes that mean "again, with the same id" (§9); so does any that comes with a wait. */
const AGAIN = /^(unavailable|internal|storage_full|rate_limited|busy|draining|id_time_ahead|unauthenticated)$/;
const isForAgain = (frame: Frame) => frame.retryAfterMs !== undefined || AGAIN.test(frame.code ?? '');

class Client {
  readonly store: Store;
  /** Called for every frame, after it was stored: was it new, and which command does it answer? */
  onFrame: (frame: Frame, isNew: boolean, sent?: Frame) => void = () => undefined;
  #url: string;
  #token: string;
  #socket: WebSocket | undefined;
  #me: string | undefined;
  #ahead = 0; // the server's clock before ours, ms
  #failures = 0;
  #ready = false; // `resume` was sent, so commands may follow
  #synced = false;
  #ended = false;
  #underWay = new Set<string>();
  #resting = new Set<string>();

  constructor(url: string, token: string, store: Store) {
    this.#url = url;
    this.#token = token;
    this.store = store;
    this.#connect();
  }

  /** Nothing is left to be answered, and the cursor covers all that came. */
  get idle(): boolean {
    return this.#synced && this.store.outbox.length === 0;
  }

  queue(frame: Wish, to?: string): void {
    const id = newId(Date.now() + this.#ahead);
    const named = frame.type === 'send' ? { ...frame, messageId: id } : { ...frame, commandId: id };
    this.store.record(to ? { type: 'queued', frame: named, to } : { type: 'queued', frame: named });
    this.#flush();
  }

  /** Queues a text to `#<conversationId>` or `@NAME`; the latter's conversation is opened first, once. */
  text(to: string, text: string): void {
    const conversationId = to.startsWith('#') ? to.slice(1) : this.store.opened.get(to);
    const content = { type: 'text', text };
    const isOpening = this.store.outbox.some((item) => item.to === to && item.frame.type === 'start-direct');
    if (!conversationId && !isOpening) this.queue({ type: 'start-direct', with: { name: to.slice(1) } }, to);
    if (conversationId) this.queue({ type: 'send', conversationId, content });
    else this.queue({ type: 'send', content }, to);
  }

  end(reason?: string): void {
    if (reason !== undefined) console.error(reason);
    process.exitCode = reason === undefined ? 0 : 1;
    this.#ended = true;
    this.#socket?.close(1000);
    process.stdin.destroy(); // nothing else keeps the process
  }

  #connect = (): void => {
    const headers = { authorization: `Bearer ${this.#token}` };
    const socket = new WebSocket(this.#url, { headers, perMessageDeflate: false, handshakeTimeout: 10_000 }); // no extensions (§3)
    this.#socket = socket;
    let heard = Date.now();
    let why = '';
    let wait = 0; // what the server asks for
    const watch = setInterval(() => {
      if (Date.now() - heard > 60_000) socket.terminate();
      else if (socket.readyState === WebSocket.OPEN) socket.ping();
    }, 20_000);
    for (const sign of ['ping', 'pong', 'message']) socket.on(sign, () => (heard = Date.now()));
    socket.on('message', this.#receive);
    socket.on('error', ({ message }) => (why = message));
    socket.on('unexpected-response', (_request, { statusCode = 0, headers }) => {
      wait = Number(headers['retry-after'] ?? 0) * 1000; // 503 (§3)
      if (statusCode < 500 && wait === 0) this.end(`the server refused the connection: ${String(statusCode)}`);
      socket.terminate();
    });
    socket.on('close', (code, reason) => {
      clearInterval(watch);
      this.#ready = this.#synced = false;
      this.#underWay.clear();
      if (!this.#ended) console.error(`connection: ended ${String(code)} ${reason.toString()}${why}`);
      if (FINAL.includes(code)) this.end('coming back does not help');
      if (this.#ended) return;
      const named = /retry in (\d+) ms/.exec(reason.toString())?.[1]; // 1012 (§7)
      const jitter = Math.random() * Math.min(30_000, 500 * 2 ** this.#failures++); // full, capped (§7)
      setTimeout(this.#connect, named === undefined ? wait + jitter : Number(named));
    });
  };

  #receive = (data: Buffer): void => {
    const frame = JSON.parse(data.toString()) as Frame;
    const id = idOf(frame);
    const sent = this.store.outbox.find((item) => idOf(item.frame) === id)?.frame;
    if (frame.type === 'welcome') {
      this.#me = frame.userId;
      this.#ahead = (frame.time ?? Date.now()) - Date.now();
      this.#failures = 0; // only here (§7)
    }
    if (frame.type === 'accepted' && this.#me) frame.by = this.#me;
    if (frame.type === 'rejected' && isForAgain(frame)) {
      this.#resting.add(id); // also over a reconnect; without a wait named: soon
      const wait = Math.min(frame.retryAfterMs ?? 500 + Math.random() * 1500, 2 ** 31 - 1); // more would overflow the timer
      setTimeout(() => this.#resting.delete(id) && this.#flush(), wait);
      this.#underWay.delete(id);
      if (frame.code === 'unauthenticated') this.end('a new token is needed');
      return;
    }
    const known = this.store.messages.get(frame.conversationId ?? '')?.has(frame.seq ?? 0);
    const isNew = this.store.record(frame) && !(frame.type === 'accepted' && known);
    this.#synced = frame.type === 'synced' ? frame.caughtUp === true : this.#synced && !(isNew && frame.seq);
    this.#underWay.delete(id);
    if (frame.type === 'error' || frame.type === 'rejected')
      console.error(`${frame.type}: ${frame.code ?? ''}: ${frame.message ?? ''}`);
    if (frame.type === 'welcome' || frame.type === 'reset') {
      this.#socket?.send(JSON.stringify({ type: 'resume', cursor: this.store.cursor }));
      this.#ready = true;
    }
    this.#flush();
    this.onFrame(frame, isNew, sent);
  };

  /**
   * Sends of every conversation the oldest command without an answer, and no second one beside it: that would overtake the first if the
   * first is rejected with a wait.
   */
  #flush(): void {
    if (!this.#ready) return;
    const seen = new Set<string>();
    for (const { frame, to } of this.store.outbox) {
      const id = idOf(frame);
      const lane = frame.conversationId ?? to ?? id;
      if (!seen.has(lane) && !this.#underWay.has(id) && !this.#resting.has(id)) {
        this.#underWay.add(id);
        this.#socket?.send(JSON.stringify(frame));
      }
      seen.add(lane);
    }
  }
}

/** Prints messages as `seq by text` under the `#<conversationId>` they belong to, by `seq` (§4): one that is ahead waits. */
function printTo(store: Store) {
  const next = new Map<string, number>();
  for (const [conversationId, held] of store.messages) {
    let due = 1;
    while (!held.has(due)) due++; // what we may not see
    while (held.has(due)) due++;
    next.set(conversationId, due);
  }
  let heading = '';
  const show = (conversationId: string, message: Frame | undefined) => {
    if (heading !== conversationId) console.log(`#${conversationId}`);
    heading = conversationId;
    const content = message?.content;
    const text =
      content?.text === undefined
        ? `(${content?.type ?? (message?.hidden ? 'hidden' : 'erased')})`
        : escape(content.text);
    console.log(`${String(message?.seq)} ${message?.by ?? ''} ${text}`);
  };
  return ({ conversationId = '', seq, visibleFrom }: Frame, isNew: boolean) => {
    let due = next.get(conversationId) ?? seq ?? 0;
    if (visibleFrom !== undefined) next.set(conversationId, Math.max(visibleFrom + 1, next.get(conversationId) ?? 0));
    if (!isNew || seq === undefined) return;
    const held = store.messages.get(conversationId);
    if (seq < due) show(conversationId, held?.get(seq));
    else for (; held?.has(due); due++) show(conversationId, held.get(due));
    next.set(conversationId, due);
  };
}

function say(client: Client, name: string, text: string): void {
  client.onFrame = (frame, _isNew, sent) => {
    if (sent && frame.type === 'rejected') client.end('nothing was sent');
    if (sent?.type !== 'send' || frame.type !== 'accepted') return;
    console.log(frame.seq);
    client.end();
  };
  client.text(`@${name}`, text);
}

function talk(client: Client, isVerbose: boolean): void {
  const print = printTo(client.store);
  let quitting = false;
  client.onFrame = (frame, isNew, sent) => {
    print(frame, isNew);
    if (frame.type === 'synced' && isVerbose) console.log(`synced ${frame.cursor ?? ''}`);
    if (frame.type === 'accepted' && sent?.type === 'create-group') console.log(`group ${frame.conversationId ?? ''}`);
    if (quitting && client.idle) client.end();
  };
  const obey = (line: string) => {
    const [, word = '', rest = ''] = /^(\S+) ?(.*)$/s.exec(line) ?? [];
    const [name = '', ...members] = rest.split(/ +/);
    if (word === '/quit') quitting = true;
    else if (word === '/group')
      client.queue({ type: 'create-group', name, members: members.map((member) => ({ name: member })) });
    else if (/^[@#]./.test(word) && rest) client.text(word, unescape(rest));
    else if (word) console.error('not understood');
    if (quitting && client.idle) client.end();
  };
  let begun = '';
  process.stdin.setEncoding('utf8').on('data', (data: string) => {
    const lines = (begun + data).split('\n'); // not readline, which also splits at U+2028
    begun = lines.pop() ?? '';
    lines.forEach(obey);
  });
  process.stdin.on('end', () => {
    [begun, '/quit'].forEach(obey);
  });
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: 'string', default: 'ws://127.0.0.1:8080/v1/socket' },
    store: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
});
const [command = '', token = '', name = '', text = ''] = positionals;
const start = () => new Client(values.url, token, new Store(values.store));
if (command === 'listen' && token) {
  const client = start();
  client.onFrame = printTo(client.store);
} else if (command === 'say' && text) say(start(), name, text);
else if (command === 'talk' && values.store) talk(start(), values.verbose);
else {
  console.error('usage: listen TOKEN | say TOKEN NAME TEXT | talk TOKEN --store FILE, each with --url URL');
  process.exitCode = 2;
}
