import type { Core, Effect, Moment, Outcome, Read, ReadResult } from './core.ts';
import { newId } from './outbox.ts';
import { restore } from './restore.ts';
import type { SimulatedServer } from './simulated-server.fixture.ts';
import type { CacheSize } from './state.ts';
import { step, wakesAt, type Input } from './step.ts';
import type { Json } from './storage.ts';

/** A core with a disk of its own, and the edge's work done when a test says so. */
export class SimulatedClient {
  readonly disk = new Map<string, Json>();
  /** Everything it told, since it was made or last restarted. */
  told: (Effect & { type: 'emit' })[] = [];
  readonly outcomes = new Map<string, Outcome>();
  core: Core;
  now = 5_000;
  private readonly server: SimulatedServer;
  private readonly cache: CacheSize;
  private chance = 0;

  constructor(server: SimulatedServer, cache: CacheSize = { messages: 1_000, chats: 1_000 }) {
    this.server = server;
    this.cache = cache;
    this.core = restore(new Map(), cache, this.now);
  }

  get moment(): Moment {
    const randomBytes = (count: number): Uint8Array =>
      Uint8Array.from({ length: count }, () => (this.chance = (this.chance * 73 + 41) % 251));
    return { now: this.now, randomBytes };
  }

  take(input: Input): void {
    step(this.core, input, this.moment);
  }

  send(conversationId: string, text: string): string {
    const key = newId(this.core, this.moment);
    this.take({ type: 'command', key, draft: { type: 'send', conversationId, content: { type: 'text', text } } });
    return key;
  }

  /** Stores what changed and does what follows; `storedOnly`: the process ends between the two. */
  flush(storedOnly = false): void {
    while (this.core.changes.size > 0 || this.core.effects.length > 0) {
      const { changes, effects } = this.core;
      this.core.changes = new Map();
      this.core.effects = [];
      for (const [key, value] of changes) {
        // As a real storage does, it forgets what JSON cannot say.
        if (value === null) this.disk.delete(key);
        else this.disk.set(key, JSON.parse(JSON.stringify(value)) as Json);
      }
      if (storedOnly) return;
      for (const effect of effects) this.perform(effect);
    }
  }

  /** The process ends; what was not stored is gone. */
  restart(): void {
    this.server.cut();
    this.told = [];
    this.core = restore(this.disk, this.cache, this.now);
    this.take({ type: 'tick' });
  }

  /** The socket ends. */
  cut(code = 1006, reason = ''): void {
    this.server.cut();
    const { connection } = this.core.state;
    if ('number' in connection) this.take({ type: 'closed', number: connection.number, code, reason });
  }

  /** One frame arrives; false: none is on its way. */
  deliver(from: 'answers' | 'events'): boolean {
    const frame = this.server[from].shift();
    const { connection } = this.core.state;
    if (frame === undefined || !('number' in connection)) return false;
    this.take({ type: 'frame', number: connection.number, frame });
    return true;
  }

  wait(ms: number): void {
    this.now += ms;
    this.server.time += ms;
    this.take({ type: 'tick' });
  }

  /** Nothing is lost or late any more, until nothing is left to do. */
  settle(): void {
    for (let round = 0; round < 1_000; round++) {
      this.flush();
      while (this.deliver('answers') || this.deliver('events')) this.flush();
      this.server.sync();
      while (this.deliver('answers') || this.deliver('events')) this.flush();
      const at = wakesAt(this.core);
      const isQuiet =
        this.core.state.byId.size === 0 && this.core.state.marksDue.size === 0 && this.core.state.ahead.size === 0;
      if (isQuiet && this.core.state.connection.phase === 'open') return;
      this.wait(Math.max(1, Math.min(at, this.now + 60_000) - this.now));
    }
    throw new Error('it does not come to rest');
  }

  private perform(effect: Effect): void {
    if (effect.type === 'emit') {
      this.told.push(effect);
      if (effect.name === 'answered') this.outcomes.set(effect.event.id, effect.event.outcome);
    } else if (effect.type === 'connect') this.server.connect();
    else if (effect.type === 'disconnect') this.server.cut();
    else if (effect.type === 'transmit') {
      const { connection } = this.core.state;
      if ('number' in connection && connection.number === effect.number) this.server.receive(effect.frame);
    } else this.take({ type: 'read-done', read: effect.read, result: this.answer(effect.read) });
  }

  private answer(read: Read): ReadResult {
    if (read.name === 'probe') return { ok: true, name: 'probe' };
    if (read.name !== 'messages') return { ok: true, name: 'chats', chats: [], profiles: [] };
    const views = this.server.views(read.conversationId, read.after ?? 0);
    return { ok: true, name: 'messages', messages: read.after === null ? views.slice(-this.cache.messages) : views };
  }
}
