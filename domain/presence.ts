import type { Availability, PresenceEvent } from '../schemas/presence-events.ts';
import type { RecordedEvent } from '../schemas/events.ts';
import type { Folded } from './conversation.ts';
import type { Decision } from './decide-conversation.ts';
import { fold, isPresenceEvent, type Blocked } from './fold.ts';

/** Whether a user is there, as the log says, and what it announced; without the text, which is personal. */
export interface Presence {
  readonly online: boolean;
  /** When that began. */
  readonly since: number;
  readonly availability: Availability;
  readonly saysText: boolean;
}

export type PresenceCommand =
  | { readonly type: 'come-online' }
  | { readonly type: 'go-offline'; readonly lastSeen: number }
  | { readonly type: 'announce-status'; readonly availability: Availability; readonly text: string | undefined };

const beginning: Presence = { online: false, since: 0, availability: 'available', saysText: false };

const unchanged = { outcome: 'unchanged' } as const;
const decided = (event: PresenceEvent): Decision<PresenceEvent> => ({ outcome: 'events', events: [event] });

/** Only transitions become events: coming twice, and going twice, is once. */
export const decidePresence = (before: Presence = beginning, command: PresenceCommand): Decision<PresenceEvent> => {
  switch (command.type) {
    case 'come-online':
      return before.online ? unchanged : decided({ type: 'came-online' });
    case 'go-offline': {
      if (!before.online) return unchanged;
      return decided({ type: 'went-offline', lastSeen: Math.max(command.lastSeen, before.since) });
    }
    case 'announce-status': {
      const { availability, text = null } = command;
      if (availability === before.availability && text === null && !before.saysText) return unchanged;
      return decided({ type: 'status-announced', availability, text });
    }
    default:
      return command satisfies never;
  }
};

export const evolvePresence = (
  before: Presence = beginning,
  event: PresenceEvent,
  { time }: { readonly time: number },
): Presence => {
  switch (event.type) {
    case 'came-online':
      return { ...before, online: true, since: time };
    case 'went-offline':
      return { ...before, online: false, since: time };
    case 'status-announced':
      return { ...before, availability: event.availability, saysText: event.text !== null };
    default:
      return event satisfies never;
  }
};

export const foldPresence = (from: Folded<Presence>, events: readonly RecordedEvent[]): Folded<Presence> | Blocked =>
  fold(from, events, isPresenceEvent, evolvePresence);

/** Raise it whenever `Presence` or what `evolvePresence` makes of an event changes. */
export const presenceCodeVersion = 1;

export const presenceToSnapshot = (presence: Presence): string => JSON.stringify(presence);

/** For a state of `presenceCodeVersion` whose checksum is right: such a one was made above, as the type says. */
export const presenceFromSnapshot = (state: string): Presence => JSON.parse(state) as Presence;
