import type { DeviceId } from '../schemas/ids.ts';
import type { UserEvent } from '../schemas/user-events.ts';

/** Whose sessions an event of a user ends: those of one of its devices, or of all (null); undefined: nobody's. */
export const endedSessions = (event: UserEvent): DeviceId | null | undefined => {
  switch (event.type) {
    case 'sessions-ended':
      return event.deviceId;
    case 'user-erased':
      return null;
    case 'user-disabled':
      return event.disabled ? null : undefined;
    case 'user-registered':
    case 'profile-changed':
    case 'contact-saved':
    case 'contact-removed':
    case 'user-blocked':
    case 'user-unblocked':
    case 'chat-settings-changed':
      return undefined;
    default:
      return event satisfies never;
  }
};
