import type { UserId } from '../schemas/ids.ts';
import type { Session } from './session.ts';

/** The sessions of this process. A user has as many as it opens, also several with one device. */
export class Sessions {
  readonly all = new Set<Session>();
  readonly #byUser = new Map<UserId, Session[]>();

  add(session: Session): void {
    this.all.add(session);
    const user = session.caller.userId;
    const others = this.#byUser.get(user);
    if (others === undefined) this.#byUser.set(user, [session]);
    else others.push(session);
  }

  remove(session: Session): void {
    this.all.delete(session);
    const user = session.caller.userId;
    const rest = this.of(user).filter((other) => other !== session);
    if (rest.length === 0) this.#byUser.delete(user);
    else this.#byUser.set(user, rest);
  }

  of(user: UserId): readonly Session[] {
    return this.#byUser.get(user) ?? none;
  }
}

const none: readonly Session[] = [];
