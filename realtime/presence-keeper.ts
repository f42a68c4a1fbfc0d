import type { Clock } from '../command-side/clock.ts';
import type { PresenceGateway } from '../command-side/presence-gateway.ts';
import type { Inbox } from '../projections/inbox.ts';
import type { DeviceId, UserId } from '../schemas/ids.ts';
import type { PresenceLeases, PresentDevice } from './presence-leases.ts';

export interface PresenceKeeperDeps {
  readonly leases: PresenceLeases;
  readonly presence: PresenceGateway;
  readonly inbox: Pick<Inbox, 'onlineAfter'>;
  /** Whether the user has a socket in this process. */
  readonly isHere: (user: UserId) => boolean;
  readonly clock: Clock;
  readonly offlineAfterMs: number;
  /** When the log was last written before this process began: whoever was online then was last seen then, at the latest. */
  readonly lastWrittenAt: () => Promise<number>;
  readonly warn: (details: Readonly<Record<string, unknown>>, message: string) => void;
}

const mostAtOnce = 64;
const usersOnPage = 200;
/** Sweeps after the first one find only what a process lost that ended between taking a lapsed user and saying so. */
const sweepEveryLeases = 10;

/**
 * Keeps the log's word on who is online true: heartbeats become leases, a user who comes and one whose last lease has run
 * out become transitions, each said again until the log has it. Everything happens once a second or later, apart from
 * signing out, and a fault of the leases or the inbox delays presence and nothing else.
 */
export class PresenceKeeper {
  readonly #deps: PresenceKeeperDeps;
  /** Heartbeats since the last round. */
  #beats = new Map<string, PresentDevice>();
  /** Users here of whom the log is known to say that they are online. */
  readonly #online = new Set<UserId>();
  readonly #toCome = new Set<UserId>();
  readonly #toGo = new Map<UserId, number>();
  /** Of these the log says that they went, though they have sockets here. */
  readonly #doubted = new Set<UserId>();
  /** Since when leases are renewed without a fault: who has none after the length of a lease is not there. */
  #soundSince: number;
  #sweptAt: number | undefined;
  #isFaulty = false;
  #round: Promise<void> | undefined;
  #hasEnded = false;

  constructor(deps: PresenceKeeperDeps) {
    this.#deps = deps;
    this.#soundSince = deps.clock.monotonic();
  }

  /** A sign of life of a device, at most once for each ping it was sent. */
  heard(device: PresentDevice): void {
    this.#beats.set(keyOf(device), device);
    if (!this.#online.has(device.userId)) this.#toCome.add(device.userId);
  }

  /** The last socket of a user here is gone. Its lease runs on: it may come back before anybody missed it. */
  gone(user: UserId): void {
    this.#online.delete(user);
    this.#toCome.delete(user);
    this.#doubted.delete(user);
  }

  /** The log has a device of the user (null: all) signed out, or nobody signs in as the user any more. */
  async ended(user: UserId, device: DeviceId | null): Promise<void> {
    const others: PresentDevice[] = [];
    for (const [key, beat] of this.#beats) {
      if (beat.userId !== user) continue;
      if (device === null || beat.deviceId === device) this.#beats.delete(key);
      else others.push(beat);
    }
    try {
      // Who has only just come on another device holds no lease yet.
      if (others.length > 0) await this.#deps.leases.renew(others, this.#deps.clock.now());
      if (await this.#deps.leases.release(user, device)) return;
      this.#toCome.delete(user);
      await this.#go(user, this.#deps.clock.now());
    } catch (error) {
      this.#fault(error);
    }
  }

  /** The log says so. */
  saw(user: UserId, isOnline: boolean): void {
    if (!this.#deps.isHere(user)) return;
    if (isOnline) this.#online.add(user);
    else if (this.#online.delete(user)) this.#doubted.add(user);
  }

  /** Once a second; what a round is slow with waits for it. Never rejects. */
  tick(): Promise<void> {
    return (this.#round ??= this.#runRound().finally(() => (this.#round = undefined)));
  }

  /** Says nothing of faults any more: what it depends on is about to be closed. Waits for nobody who may never answer. */
  end(): void {
    this.#hasEnded = true;
  }

  async #runRound(): Promise<void> {
    try {
      await this.#renew();
      await this.#clearDoubts();
      await this.#takeLapsed();
      await this.#say();
      await this.#sweepWhenDue();
      this.#isFaulty = false;
    } catch (error) {
      this.#fault(error);
    }
  }

  async #renew(): Promise<void> {
    const beats = [...this.#beats.values()];
    if (beats.length === 0) return;
    await this.#deps.leases.renew(beats, this.#deps.clock.now());
    // Those that came meanwhile are renewed with the next round.
    for (const beat of beats) if (this.#beats.get(keyOf(beat)) === beat) this.#beats.delete(keyOf(beat));
  }

  /** A user that another process, or a slow round, took for lapsed though it is here. */
  async #clearDoubts(): Promise<void> {
    const doubted = [...this.#doubted].slice(0, usersOnPage);
    if (doubted.length === 0) return;
    const present = await this.#deps.leases.present(doubted);
    for (const user of doubted) this.#doubted.delete(user);
    for (const user of present) if (this.#deps.isHere(user)) this.#toCome.add(user);
  }

  async #takeLapsed(): Promise<void> {
    for (const { userId, lastSeen } of await this.#deps.leases.takeLapsed(usersOnPage))
      this.#toGo.set(userId, lastSeen);
  }

  async #say(): Promise<void> {
    await eachOf([...this.#toCome], async (user) => {
      if (!(await this.#deps.presence.comeOnline(user))) return;
      this.#toCome.delete(user);
      if (this.#deps.isHere(user)) this.#online.add(user);
    });
    await eachOf([...this.#toGo], ([user, lastSeen]) => this.#go(user, lastSeen));
  }

  async #go(user: UserId, lastSeen: number): Promise<void> {
    // Whoever came back since it lapsed stays.
    const back = (await this.#deps.leases.present([user])).size > 0;
    if (back || (await this.#deps.presence.goOffline(user, lastSeen))) this.#toGo.delete(user);
    else this.#toGo.set(user, lastSeen);
  }

  async #sweepWhenDue(): Promise<void> {
    const { clock, offlineAfterMs, lastWrittenAt } = this.#deps;
    const now = clock.monotonic();
    if (now - this.#soundSince < offlineAfterMs) return;
    if (this.#sweptAt !== undefined && now - this.#sweptAt < offlineAfterMs * sweepEveryLeases) return;
    const lastSeen = this.#sweptAt === undefined ? await lastWrittenAt() : clock.now() - offlineAfterMs;
    this.#sweptAt = now;
    await this.#sweep(lastSeen);
  }

  async #sweep(lastSeen: number): Promise<void> {
    const { inbox, leases, isHere } = this.#deps;
    let last: UserId | null = null;
    for (;;) {
      const users: readonly UserId[] = await inbox.onlineAfter(last, usersOnPage);
      last = users.at(-1) ?? null;
      if (last === null) return;
      const present = await leases.present(users);
      await eachOf(
        // Whose sockets are here is not gone, though the leases were lost: its next heartbeat brings them back.
        users.filter((user) => !present.has(user) && !isHere(user)),
        (user) => this.#go(user, lastSeen),
      );
    }
  }

  #fault(error: unknown): void {
    this.#soundSince = this.#deps.clock.monotonic();
    if (this.#isFaulty || this.#hasEnded) return;
    this.#isFaulty = true;
    this.#deps.warn({ err: error }, 'presence is not kept until its leases and the inbox answer again');
  }
}

const keyOf = ({ userId, deviceId }: PresentDevice): string => `${userId} ${deviceId}`;

const eachOf = async <T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> => {
  for (let from = 0; from < items.length; from += mostAtOnce) {
    await Promise.all(items.slice(from, from + mostAtOnce).map(work));
  }
};
