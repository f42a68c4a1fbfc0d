import { endedSessions } from '../domain/ended-sessions.ts';
import type { UserId } from '../schemas/ids.ts';
import type { PresenceEvent } from '../schemas/presence-events.ts';
import type { UserEvent } from '../schemas/user-events.ts';
import type { PresenceKeeper } from './presence-keeper.ts';
import type { PresenceSubscriptions } from './presence-subscriptions.ts';

/** What presence has to know of the log, from the router, in the order of the log. */
export interface FollowPresence {
  moved(user: UserId, event: PresenceEvent, version: number, place: number): void;
  accountChanged(user: UserId, event: UserEvent, place: number): void;
  /** The user left a conversation or was removed from it. */
  left(user: UserId, place: number): void;
  /** Something of the log before the place was not heard. */
  missed(place: number): void;
}

export const followPresence = (keeper: PresenceKeeper, subscriptions: PresenceSubscriptions): FollowPresence => ({
  moved(user, event, version, place) {
    if (event.type !== 'status-announced') keeper.saw(user, event.type === 'came-online');
    subscriptions.changed(user, event, version, place);
  },
  accountChanged(user, event, place) {
    if (event.type === 'user-blocked' || event.type === 'user-unblocked')
      subscriptions.blockChanged(user, event.blocked, place);
    const ended = endedSessions(event);
    if (ended !== undefined) void keeper.ended(user, ended);
  },
  left: (user, place) => subscriptions.left(user, place),
  missed: (place) => subscriptions.missed(place),
});
