import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { streamKinds } from '../schemas/streams.ts';
import { wallClock } from './chats.fixture.ts';
import { dataKeysInMemory, type DataKeysInMemory } from './data-keys.fixture.ts';
import type { EventLog, Tail, TailOptions } from './event-log.ts';
import type { LogStore } from './log-store.ts';
import { openEventLog } from './open-event-log.ts';
import type { RecentEventsLimits } from './recent-events.ts';

/** Where one log lives: empty when it is made, opened as often as a case likes, one open at a time. */
export interface LogPlace {
  openStore(): Promise<LogStore>;
  remove(): Promise<void>;
}

interface Scene {
  readonly place: LogPlace;
  readonly keys: DataKeysInMemory;
  readonly ended: AbortController;
}

/** The log of the case that runs: a new one for each. */
export class LogUnderTest {
  readonly #newPlace: () => Promise<LogPlace>;
  #scene: Scene | undefined;
  #log: EventLog | undefined;
  #heard: () => boolean = () => true;

  constructor(newPlace: () => Promise<LogPlace>) {
    this.#newPlace = newPlace;
  }

  get #set(): Scene {
    if (this.#scene === undefined) throw new Error('no case runs');
    return this.#scene;
  }

  get log(): EventLog {
    if (this.#log === undefined) throw new Error('no log is open');
    return this.#log;
  }

  get keys(): DataKeysInMemory {
    return this.#set.keys;
  }

  /** Ends the tails of the case. */
  get ended(): AbortController {
    return this.#set.ended;
  }

  async begin(): Promise<void> {
    this.#scene = {
      place: await this.#newPlace(),
      keys: dataKeysInMemory(randomBytes),
      ended: new AbortController(),
    };
    await this.open();
  }

  openStore(): Promise<LogStore> {
    return this.#set.place.openStore();
  }

  async open(recent?: RecentEventsLimits, clock = wallClock): Promise<void> {
    const store = await this.openStore();
    let heard = store.head();
    this.#heard = () => heard >= store.head();
    const listened: LogStore = {
      ...store,
      onCommitted: (listener) =>
        store.onCommitted((events) => {
          heard = events.at(-1)?.n ?? heard;
          listener(events);
        }),
    };
    const dependencies = { store: listened, keys: this.keys, clock, randomBytes };
    this.#log = await openEventLog({ ...dependencies, ...(recent && { recent }) });
  }

  async reopen(recent?: RecentEventsLimits, clock = wallClock): Promise<void> {
    await this.log.close();
    await this.open(recent, clock);
  }

  /** Resolves once the log's memory holds every event that was appended: only a sole writer need not wait. */
  async heard(): Promise<void> {
    await expect.poll(this.#heard).toBe(true);
  }

  /** Leaves an empty place where the log was. */
  async wipe(): Promise<void> {
    await this.log.close();
    await this.#set.place.remove();
    this.#scene = { ...this.#set, place: await this.#newPlace() };
  }

  follow(options: Partial<TailOptions> = {}): Tail {
    return this.log.tail({ from: 0, streamKinds, signal: this.ended.signal, ...options });
  }

  async end(): Promise<void> {
    this.ended.abort();
    await this.#log?.close();
    await this.#set.place.remove();
  }
}
