import { reject } from '../schemas/errors.ts';
import type { UserEvent } from '../schemas/user-events.ts';
import type { Decision } from './decide-conversation.ts';
import type { UserSettings } from './user-settings.ts';

/** The end of an account: once, and for ever. Undefined: nobody of that id was ever registered. */
export const decideErasure = (user: UserSettings | undefined): Decision<UserEvent> => {
  if (user === undefined) {
    return { outcome: 'rejected', rejection: reject('user_not_found', 'no such user is registered') };
  }
  return user.erased ? { outcome: 'unchanged' } : { outcome: 'events', events: [{ type: 'user-erased' }] };
};
