import { conversationEvent, type ConversationEvent } from './conversation-events.ts';
import type { ConversationId, EventId, UserId } from './ids.ts';
import { logEvent, type LogEvent } from './log-events.ts';
import type { LogPosition } from './position.ts';
import { presenceEvent, type PresenceEvent } from './presence-events.ts';
import { receiptsEvent, type ReceiptsEvent } from './receipts-events.ts';
import { subjectOf, type StreamKind, type StreamName } from './streams.ts';
import { userEvent, type UserEvent } from './user-events.ts';
import { z } from 'zod';

export const parleyEvent = z.discriminatedUnion('type', [
  conversationEvent,
  userEvent,
  receiptsEvent,
  presenceEvent,
  logEvent,
]);

/** What happened, in its newest version and in plain text. */
export type ParleyEvent = ConversationEvent | UserEvent | ReceiptsEvent | PresenceEvent | LogEvent;
export type EventType = ParleyEvent['type'];
export type EventOf<T extends EventType> = Extract<ParleyEvent, { type: T }>;

/** Whose key encrypts the personal fields of an event. */
export type KeySubject = `user:${UserId}` | `conversation:${ConversationId}`;

/** An event to append. */
export interface NewEvent {
  readonly eventId: EventId;
  /** The server's time in milliseconds. */
  readonly time: number;
  /** The id of the command or event that caused this one. */
  readonly causationId: string;
  /** Shared by everything that one request led to. */
  readonly correlationId: string;
  readonly event: ParleyEvent;
}

/** A stored event. `event` is undefined when this process does not know its type or version. */
export interface RecordedEvent extends Omit<NewEvent, 'event'> {
  readonly stream: StreamName;
  readonly revision: number;
  readonly position: LogPosition;
  readonly type: string;
  readonly schemaVersion: number;
  /** A reader that does not know a critical event must not go on as if it had not been there. */
  readonly critical: boolean;
  readonly event: ParleyEvent | undefined;
  /** The hash chain's link at this event: 32 bytes as base64url; null where the stream has no chain. */
  readonly link: string | null;
}

interface EventTypeRow {
  readonly stream: StreamKind;
  readonly version: number;
  /** It takes a seq, holds a command's id, or changes membership, visibility or a rule. */
  readonly critical: boolean;
}

export const eventTypes = {
  'conversation-started': { stream: 'conversation', version: 1, critical: true },
  'conversation-renamed': { stream: 'conversation', version: 1, critical: true },
  'member-added': { stream: 'conversation', version: 1, critical: true },
  'member-removed': { stream: 'conversation', version: 1, critical: true },
  'member-left': { stream: 'conversation', version: 1, critical: true },
  'role-changed': { stream: 'conversation', version: 1, critical: true },
  'message-sent': { stream: 'conversation', version: 1, critical: true },
  'message-edited': { stream: 'conversation', version: 1, critical: true },
  'message-deleted': { stream: 'conversation', version: 1, critical: true },
  'user-registered': { stream: 'user', version: 1, critical: false },
  'profile-changed': { stream: 'user', version: 1, critical: false },
  'contact-saved': { stream: 'user', version: 1, critical: false },
  'contact-removed': { stream: 'user', version: 1, critical: false },
  'user-blocked': { stream: 'user', version: 1, critical: true },
  'user-unblocked': { stream: 'user', version: 1, critical: true },
  'chat-settings-changed': { stream: 'user', version: 1, critical: false },
  'sessions-ended': { stream: 'user', version: 2, critical: true },
  'user-disabled': { stream: 'user', version: 1, critical: true },
  'user-erased': { stream: 'user', version: 1, critical: true },
  'receipts-advanced': { stream: 'receipts', version: 1, critical: false },
  'came-online': { stream: 'presence', version: 1, critical: false },
  'went-offline': { stream: 'presence', version: 1, critical: false },
  'status-announced': { stream: 'presence', version: 1, critical: false },
  'epoch-started': { stream: 'parley', version: 2, critical: true },
} as const satisfies Record<EventType, EventTypeRow>;

const userOf = (stream: StreamName): KeySubject => `user:${subjectOf(stream) as UserId}`;
const conversationOf = (stream: StreamName): KeySubject => `conversation:${subjectOf(stream) as ConversationId}`;

/** The subject of an event's personal fields: text → its author, a group's name → the conversation, the rest → the user. */
export const keySubjectOf = (stream: StreamName, event: ParleyEvent): KeySubject | undefined => {
  switch (event.type) {
    case 'message-sent':
    case 'message-edited':
      return `user:${event.by}`;
    case 'conversation-renamed':
      return conversationOf(stream);
    case 'user-registered':
    case 'profile-changed':
    case 'contact-saved':
    case 'status-announced':
      return userOf(stream);
    case 'conversation-started':
    case 'member-added':
    case 'member-removed':
    case 'member-left':
    case 'role-changed':
    case 'message-deleted':
    case 'contact-removed':
    case 'user-blocked':
    case 'user-unblocked':
    case 'chat-settings-changed':
    case 'sessions-ended':
    case 'user-disabled':
    case 'user-erased':
    case 'receipts-advanced':
    case 'came-online':
    case 'went-offline':
    case 'epoch-started':
      return undefined;
  }
};
