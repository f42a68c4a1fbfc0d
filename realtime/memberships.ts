import type { Membership } from '../domain/conversation.ts';
import { evolveMembership } from '../domain/membership.ts';
import type { ConversationEvent } from '../schemas/conversation-events.ts';
import type { ConversationId } from '../schemas/ids.ts';
import type { LoadedMembership } from './load-membership.ts';

/** The membership of one conversation as it is at `revision`. */
export interface KnownMembership {
  state: Membership;
  revision: number;
  readonly blocked: boolean;
  /** The name, once somebody needed it, and the revision of the event that holds it. */
  name: { readonly at: number; readonly text: string | null } | undefined;
}

/** Reads the name in the event at this revision; null: its key is gone. */
export type ReadName = (id: ConversationId, revision: number) => Promise<string | null>;

/**
 * Memberships of the conversations in use: loaded when one is first asked for, then kept up to date by the router, which
 * shows every event of the log once, in order; where the router is elsewhere, forgotten when one changes. So a membership found here is never older than the router's place; one that
 * is ahead of an event gives nobody more than was theirs (`mayReceive`).
 */
export class Memberships {
  readonly #read: (id: ConversationId) => Promise<LoadedMembership | undefined>;
  readonly #readName: ReadName;
  readonly #mostMembers: number;
  readonly #loads = new Map<ConversationId, Promise<void>>();
  // Two generations: what nobody used while the younger one filled up goes with the elder. A hit costs one look-up.
  #young = new Map<ConversationId, KnownMembership>();
  #old = new Map<ConversationId, KnownMembership>();
  #youngMembers = 0;

  constructor(
    read: (id: ConversationId) => Promise<LoadedMembership | undefined>,
    readName: ReadName,
    mostMembers = 200_000,
  ) {
    this.#read = read;
    this.#readName = readName;
    this.#mostMembers = mostMembers;
  }

  get(id: ConversationId): KnownMembership | undefined {
    const young = this.#young.get(id);
    if (young !== undefined) return young;
    const old = this.#old.get(id);
    if (old !== undefined) this.#keep(id, old);
    return old;
  }

  /** The membership at or after the event the router has come to; undefined: `load` it first. */
  after(id: ConversationId, event: ConversationEvent | undefined, revision: number): KnownMembership | undefined {
    const known = this.get(id);
    if (known === undefined) {
      if (event?.type !== 'conversation-started') return undefined;
      const started = {
        state: evolveMembership(undefined, event, revision),
        revision,
        blocked: false,
        name: undefined,
      };
      this.#keep(id, started);
      return started;
    }
    if (known.revision >= revision) return known;
    if (known.revision < revision - 1) {
      this.forget(id);
      return undefined;
    }
    if (event !== undefined) {
      known.state = evolveMembership(known.state, event, revision);
      if (event.type === 'conversation-renamed') known.name = { at: revision, text: event.name };
    }
    known.revision = revision;
    return known;
  }

  /** For an event that the router passes over: what is held, or being loaded, would miss it. */
  forget(id: ConversationId): void {
    this.#young.delete(id);
    this.#old.delete(id);
    this.#loads.delete(id);
  }

  forgetAll(): void {
    this.#young = new Map();
    this.#old = new Map();
    this.#youngMembers = 0;
    this.#loads.clear();
  }

  /** Loads a membership up to its stream's end; afterwards `get` has it, unless it was forgotten meanwhile. */
  load(id: ConversationId): Promise<void> {
    let load = this.#loads.get(id);
    if (load === undefined) {
      const mine: Promise<void> = this.#load(id, () => this.#loads.get(id) === mine);
      load = mine;
      this.#loads.set(id, load);
    }
    return load;
  }

  /** The name at `known.revision`; undefined: `loadName` first. */
  nameOf({ state, name }: KnownMembership): string | null | undefined {
    if (state.namedAt === -1) return null;
    return name?.at === state.namedAt ? name.text : undefined;
  }

  async loadName(id: ConversationId, known: KnownMembership): Promise<void> {
    const at = known.state.namedAt;
    const text = await this.#readName(id, at);
    if (known.state.namedAt === at) known.name = { at, text };
  }

  async #load(id: ConversationId, isCurrent: () => boolean): Promise<void> {
    try {
      const loaded = await this.#read(id);
      if (loaded === undefined) throw new Error(`the members of conversation ${id} cannot be read`);
      if (isCurrent()) this.#keep(id, { ...loaded, name: undefined });
    } finally {
      if (isCurrent()) this.#loads.delete(id);
    }
  }

  #keep(id: ConversationId, known: KnownMembership): void {
    this.#old.delete(id);
    this.#young.set(id, known);
    this.#youngMembers += known.state.members.size + 1;
    if (this.#youngMembers <= this.#mostMembers / 2) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngMembers = 0;
  }
}
