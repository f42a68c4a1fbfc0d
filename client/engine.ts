import type { ChatView, ProfileView } from '../schemas/views.ts';
import { abnormalClosure, openNumber } from './connection.ts';
import type { Core, Effect, Moment, Outcome, Read, ReadResult } from './core.ts';
import type { ClientEvents, ConnectionStatus } from './events.ts';
import { newId } from './outbox.ts';
import type { Platform } from './platform.ts';
import { ReadError, rest, type ChatChanges, type OneChat, type Page, type Rest } from './rest.ts';
import { Servers } from './servers.ts';
import { openSocket, type OpenSocket } from './socket.ts';
import type { Draft } from './state.ts';
import { step, wakesAt, type Input } from './step.ts';
import type { ClientStorage } from './storage.ts';
import { expiryOf } from './token-expiry.ts';

export interface EngineDeps {
  readonly url: string;
  /** Undefined: all connections go to `url`. */
  readonly servers: { readonly region?: string } | undefined;
  readonly token: () => string | Promise<string>;
  readonly storage: ClientStorage;
  readonly platform: Platform;
}

type Listener = (event: never) => void;
const mostMessagesOfPage = 200;
/** Of the time that a token has left: then the next one is asked for. */
const renewedAfter = 0.8;
/** With less left, the connection ends with its token and begins again with another. */
const shortestLeftMs = 1_000;
const goodbye: Outcome = { ok: false, code: 'closed', message: 'the client was closed' };

/** Runs a core: stores its changes, does what it asks for, and tells it what comes of that. */
export class Engine {
  readonly core: Core;
  readonly rest: Rest;
  status: ConnectionStatus = { status: 'connecting' };
  readonly #deps: EngineDeps;
  readonly #servers: Servers | undefined;
  readonly #moment: Moment;
  readonly #listeners = new Map<keyof ClientEvents, Set<Listener>>();
  readonly #outcomes = new Map<string, (outcome: Outcome) => void>();
  readonly #abort = new AbortController();
  #token: Promise<string> | undefined;
  #socket: { readonly number: number; readonly open: OpenSocket } | undefined;
  #cancelRenewal: (() => void) | undefined;
  #timer: { readonly at: number; readonly cancel: () => void } | undefined;
  #isStoring = false;
  /** The end of the last storing. */
  #storing: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(core: Core, deps: EngineDeps) {
    const { url, platform, servers } = deps;
    this.core = core;
    this.#deps = deps;
    this.#moment = {
      get now() {
        return platform.now();
      },
      randomBytes: platform.randomBytes,
    };
    const token = (fresh: boolean): Promise<string> => (fresh ? this.#askToken() : (this.#token ?? this.#askToken()));
    this.rest = rest({ url, fetch: platform.fetch, token, signal: this.#abort.signal });
    const { rest: read } = this;
    const { setTimer } = platform;
    this.#servers = servers && new Servers({ home: url, region: servers.region, rest: read, setTimer });
    this.dispatch({ type: 'tick' });
  }

  /** Takes something in. What follows from it happens once it is stored. */
  dispatch(input: Input): void {
    if (this.#closing !== undefined) return;
    step(this.core, input, this.#moment);
    this.#arm();
    if (!this.#isStoring) this.#storing = this.#store();
  }

  /** Takes a command in and says how it ended. */
  command(draft: Draft): { readonly id: string; readonly outcome: Promise<Outcome> } {
    const id = newId(this.core, this.#moment);
    if (this.#closing !== undefined) return { id, outcome: Promise.resolve(goodbye) };
    const outcome = new Promise<Outcome>((resolve) => this.#outcomes.set(id, resolve));
    this.dispatch({ type: 'command', key: id, draft });
    return { id, outcome };
  }

  on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#timer?.cancel();
    this.#cancelRenewal?.();
    this.#abort.abort();
    this.#socket?.open.drop();
    this.#socket = undefined;
    await this.#storing;
    await this.#deps.storage.close();
    for (const settle of this.#outcomes.values()) settle(goodbye);
    this.#outcomes.clear();
    this.#listeners.clear();
  }

  /** Stores and acts, until nothing is left; what comes meanwhile goes into the next commit together. */
  async #store(): Promise<void> {
    const { core } = this;
    this.#isStoring = true;
    try {
      while (core.changes.size > 0 || core.effects.length > 0) {
        const { changes, effects } = core;
        core.changes = new Map();
        core.effects = [];
        if (changes.size > 0) await this.#deps.storage.commit(changes);
        for (const effect of effects) this.#perform(effect);
      }
    } catch (error) {
      this.#tell('storage-failed', { error });
      void this.close();
    }
    this.#isStoring = false;
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'emit':
        if (effect.name === 'connection') this.status = effect.event;
        else if (effect.name === 'answered') this.#settle(effect.event);
        this.#tell(effect.name, effect.event);
        break;
      case 'transmit':
        if (this.#socket?.number === effect.number) this.#socket.open.send(effect.frame);
        break;
      case 'disconnect':
        this.#socket?.open.drop();
        this.#socket = undefined;
        break;
      case 'connect':
        void this.#connect(effect.number);
        break;
      case 'read':
        void this.#read(effect.read);
    }
  }

  #settle({ id, outcome }: ClientEvents['answered']): void {
    this.#outcomes.get(id)?.(outcome);
    this.#outcomes.delete(id);
  }

  #tell<Name extends keyof ClientEvents>(name: Name, event: ClientEvents[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])] as ((event: ClientEvents[Name]) => void)[]) {
      try {
        listener(event);
      } catch (error) {
        // It is the application's, and must show as such; others have to hear the event all the same.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  #arm(): void {
    const at = wakesAt(this.core);
    if (this.#timer !== undefined && this.#timer.at <= at) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (at === Infinity) return;
    const { now, setTimer } = this.#deps.platform;
    const ring = (): void => {
      this.#timer = undefined;
      this.dispatch({ type: 'tick' });
    };
    this.#timer = { at, cancel: setTimer(ring, Math.max(at - now(), 0)) };
  }

  #askToken(): Promise<string> {
    return (this.#token = Promise.resolve(this.#deps.token()));
  }

  async #connect(number: number): Promise<void> {
    const closed = (code: number, reason: string): void => this.dispatch({ type: 'closed', number, code, reason });
    try {
      const asked = await this.#askToken();
      const url = (await this.#servers?.next()) ?? this.#deps.url;
      // Who was asked for servers may have refused the first one.
      const token = await (this.#token ?? asked);
      const { connection } = this.core.state;
      if (this.#closing !== undefined || connection.phase !== 'opening' || connection.number !== number) return;
      const open = openSocket(this.#deps.platform, url, token, {
        frame: (frame) => {
          this.dispatch({ type: 'frame', number, frame });
          if (frame.type !== 'welcome') return;
          this.#servers?.connected();
          // Not before: it tells the server's time.
          this.#renewLater(number, token);
        },
        closed,
      });
      this.#socket = { number, open };
    } catch (error) {
      closed(abnormalClosure, error instanceof Error ? error.message : 'no token');
    }
  }

  #renewLater(number: number, token: string): void {
    this.#cancelRenewal?.();
    this.#cancelRenewal = undefined;
    const { now, setTimer } = this.#deps.platform;
    const left = (expiryOf(token) ?? 0) - now() - this.core.state.account.ahead;
    if (left < shortestLeftMs || openNumber(this.core) !== number) return;
    this.#cancelRenewal = setTimer(() => void this.#renew(number, token), left * renewedAfter);
  }

  /** A token that cannot be had now, or is the same, is asked for again while the one in use has time left. */
  async #renew(number: number, token: string): Promise<void> {
    if (openNumber(this.core) !== number) return;
    const next = await this.#nextToken(token);
    if (openNumber(this.core) !== number || this.#closing !== undefined) return;
    if (next !== token) {
      this.#token = Promise.resolve(next);
      this.#socket?.open.send({ type: 'renew', token: next });
    }
    this.#renewLater(number, next);
  }

  async #nextToken(token: string): Promise<string> {
    try {
      return await this.#deps.token();
    } catch {
      return token;
    }
  }

  async #read(read: Read): Promise<void> {
    this.dispatch({ type: 'read-done', read, result: await this.#resultOf(read) });
  }

  async #resultOf(read: Read): Promise<ReadResult> {
    try {
      return await this.#ask(read);
    } catch (error) {
      if (!(error instanceof ReadError) || error.code === 'closed') {
        return { ok: false, code: 'unreachable', retry: 'same_id', retryAfterMs: 0 };
      }
      const { code, retry, retryAfterMs } = error;
      return { ok: false, code, retry, retryAfterMs };
    }
  }

  async #ask(read: Read): Promise<ReadResult> {
    switch (read.name) {
      case 'probe':
        await this.rest('/v1/unread');
        return { ok: true, name: 'probe' };
      case 'chats':
        return this.#chatsAfter(read.after);
      case 'chat': {
        const path = `/v1/conversations/${read.conversationId}`;
        return { ok: true, name: 'chats', chats: [await this.rest<OneChat>(path, {}, read.readAfter)], profiles: [] };
      }
      case 'messages': {
        const { conversationId, after } = read;
        const limit =
          after === null ? Math.min(this.core.state.cache.messages, mostMessagesOfPage) : mostMessagesOfPage;
        const path = `/v1/conversations/${conversationId}/messages`;
        const { messages } = await this.rest<Page>(path, { after, limit });
        return { ok: true, name: 'messages', messages };
      }
    }
  }

  async #chatsAfter(cursor: string | null): Promise<ReadResult> {
    const chats: ChatView[] = [];
    const profiles: ProfileView[] = [];
    for (let after = cursor; ;) {
      const { changes, next, isLast } = await this.rest<ChatChanges>('/v1/changes', { after, limit: 200 });
      for (const change of changes) {
        if (change.type === 'chat') chats.push(change.chat);
        else if (change.type === 'profile') profiles.push(change.profile);
      }
      if (isLast) return { ok: true, name: 'chats', chats, profiles };
      after = next;
    }
  }
}
