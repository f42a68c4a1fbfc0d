import type { Clock } from '../command-side/clock.ts';
import type { Inbox, Presence } from '../projections/inbox.ts';
import type { Progress } from '../projections/progress.ts';
import { reject, type Rejection } from '../schemas/errors.ts';
import type { UserId } from '../schemas/ids.ts';
import type { PresenceEvent } from '../schemas/presence-events.ts';
import { presenceFrame } from './encode-frame.ts';
import type { Turnstile } from './turnstile.ts';

/** A session that shows people. */
export interface PresenceViewer {
  readonly userId: UserId;
  /** Queues the frame that says how somebody is, in place of one about the same user that still waits. */
  showPresence(user: UserId, frame: Buffer): void;
}

export interface PresenceSubscriptionsDeps {
  readonly inbox: Pick<Inbox, 'presence'>;
  readonly progress: Pick<Progress, 'waitFor'>;
  /** The sessions of a user. */
  readonly viewersOf: (user: UserId) => readonly PresenceViewer[];
  /** Questions to the inbox, of all sessions together. */
  readonly asks: Turnstile;
  readonly clock: Clock;
  /** In conversations of more members nobody is told of changes. */
  readonly mostMembers: number;
  readonly warn: (details: Readonly<Record<string, unknown>>, message: string) => void;
}

/** One viewer's subscription to one user. */
interface Watch {
  /** Whether changes are shown; not before the right to is checked, nor while it is in doubt. */
  isLive: boolean;
  /** The version the viewer was shown last; 0: none. */
  shown: number;
  /** Where the router last saw a change. */
  changedAt: number;
}

interface Watched {
  /** As the log has it, as far as this process knows. */
  state: Presence | undefined;
  readonly watches: Map<PresenceViewer, Watch>;
}

const longestWaitMs = 2_000;
const behind = reject('read_model_behind', 'who is online cannot be read yet; only ask again', { retryAfterMs: 1_000 });

/**
 * Who is shown how others come and go. The right to it is checked in the inbox when a session subscribes, and again when it
 * may have ended; in between the changes come from the router. The two join without a gap: the inbox answers for a place
 * that the router has come to, and who changed after that is asked about again.
 */
export class PresenceSubscriptions {
  readonly #deps: PresenceSubscriptionsDeps;
  readonly #watched = new Map<UserId, Watched>();
  readonly #shown = new Map<PresenceViewer, ReadonlySet<UserId>>();

  constructor(deps: PresenceSubscriptionsDeps) {
    this.#deps = deps;
  }

  /** The viewer shows these from now on and no others. The answer says how they are at `place` or later. */
  async subscribe(viewer: PresenceViewer, users: readonly UserId[], place: number): Promise<Buffer | Rejection> {
    this.end(viewer);
    const shown = new Set(users);
    this.#shown.set(viewer, shown);
    for (const user of shown) {
      const watched = this.#watched.get(user) ?? { state: undefined, watches: new Map<PresenceViewer, Watch>() };
      watched.watches.set(viewer, { isLive: false, shown: 0, changedAt: 0 });
      this.#watched.set(user, watched);
    }
    const states = await this.#ask(viewer, [...shown], place);
    return states === undefined ? behind : presenceFrame(states);
  }

  /** The viewer shows nobody any more. */
  end(viewer: PresenceViewer): void {
    for (const user of this.#shown.get(viewer) ?? []) {
      const watched = this.#watched.get(user);
      watched?.watches.delete(viewer);
      if (watched?.watches.size === 0) this.#watched.delete(user);
    }
    this.#shown.delete(viewer);
  }

  /** The router has come to a change. */
  changed(user: UserId, event: PresenceEvent, version: number, place: number): void {
    const watched = this.#watched.get(user);
    if (watched === undefined) return;
    const before = watched.state;
    if (before !== undefined && before.version < version) {
      watched.state = before.version === version - 1 ? after(before, event, version) : undefined;
    }
    const { state } = watched;
    const frame = state && presenceFrame([state]);
    for (const [viewer, watch] of watched.watches) {
      watch.changedAt = place;
      if (!watch.isLive || watch.shown >= version) continue;
      if (state === undefined || frame === undefined) this.#askAgain(viewer, [user], place);
      else {
        watch.shown = state.version;
        viewer.showPresence(user, frame);
      }
    }
  }

  /** One of the two blocks the other, or does so no more. */
  blockChanged(one: UserId, other: UserId, place: number): void {
    for (const viewer of this.#deps.viewersOf(one)) this.#check(viewer, [other], place);
    for (const viewer of this.#deps.viewersOf(other)) this.#check(viewer, [one], place);
  }

  /** The user has left a conversation: what it shared only with that is no more its to see, nor to be seen. */
  left(user: UserId, place: number): void {
    for (const viewer of this.#watched.get(user)?.watches.keys() ?? []) this.#check(viewer, [user], place);
    for (const viewer of this.#deps.viewersOf(user)) this.#check(viewer, [...(this.#shown.get(viewer) ?? [])], place);
  }

  /** Changes, or the end of a right, may have been missed before this place. */
  missed(place: number): void {
    for (const [viewer, shown] of this.#shown) this.#check(viewer, [...shown], place);
  }

  /** Shows nothing until it is known whether the viewer may still see them. */
  #check(viewer: PresenceViewer, users: readonly UserId[], place: number): void {
    const shown = users.filter((user) => {
      const watch = this.#watched.get(user)?.watches.get(viewer);
      if (watch !== undefined) watch.isLive = false;
      return watch !== undefined;
    });
    if (shown.length > 0) this.#askAgain(viewer, shown, place);
  }

  #askAgain(viewer: PresenceViewer, users: readonly UserId[], place: number): void {
    const show = async (): Promise<void> => {
      const states = await this.#ask(viewer, users, place);
      if (states === undefined) throw new Error('the inbox is behind');
      for (const state of states) viewer.showPresence(state.userId, presenceFrame([state]));
    };
    show().catch((error: unknown) => this.#deps.warn({ err: error }, 'a change of presence could not be shown'));
  }

  /** How they are for the viewer, who is told of their changes from here on; undefined: that cannot be said now. */
  async #ask(
    viewer: PresenceViewer,
    users: readonly UserId[],
    place: number,
  ): Promise<readonly Presence[] | undefined> {
    const { inbox, progress, asks, clock, mostMembers } = this.#deps;
    if (!(await progress.waitFor(place, clock.monotonic() + longestWaitMs))) return undefined;
    const states = await asks.run(() => inbox.presence(viewer.userId, users, mostMembers));
    const changedAt = (user: UserId): number => this.#watched.get(user)?.watches.get(viewer)?.changedAt ?? 0;
    const stale = users.filter((user) => changedAt(user) > place);
    const fresh = states.filter(({ userId }) => !stale.includes(userId)).map((state) => this.#take(viewer, state));
    if (stale.length === 0) return fresh;
    const again = await this.#ask(viewer, stale, Math.max(...stale.map(changedAt)));
    return again && [...fresh, ...again];
  }

  /** What the viewer is shown of an answer of the inbox. */
  #take(viewer: PresenceViewer, state: Presence): Presence {
    const watched = this.#watched.get(state.userId);
    const watch = watched?.watches.get(viewer);
    if (watched === undefined || watch === undefined) return state;
    watch.isLive = state.shown === 'live';
    // Who is shown no more looks like somebody who went; the version lets the client take it for no older than what it holds.
    if (state.shown === 'none') return { ...state, version: watch.shown };
    if (watched.state === undefined || watched.state.version < state.version) watched.state = state;
    watch.shown = state.version;
    return state;
  }
}

const after = (before: Presence, event: PresenceEvent, version: number): Presence => {
  switch (event.type) {
    case 'came-online':
      return { ...before, online: true, lastSeen: null, version };
    case 'went-offline':
      return { ...before, online: false, lastSeen: event.lastSeen, version };
    case 'status-announced':
      return { ...before, availability: event.availability, statusText: event.text, version };
    default:
      return event satisfies never;
  }
};
