import { reject } from '../schemas/errors.ts';
import type { RecordedEvent } from '../schemas/events.ts';
import type { CommandId, ConversationId, DeviceId, Seq, UserId } from '../schemas/ids.ts';
import { mostBlocked } from '../schemas/limits.ts';
import type { UserEvent } from '../schemas/user-events.ts';
import type { Folded } from './conversation.ts';
import type { Decision } from './decide-conversation.ts';
import type { Recording } from './evolve-conversation.ts';
import { fold, isUserEvent, type Blocked } from './fold.ts';
import { addId, emptyIdWindow, type IdWindow } from './id-window.ts';

export interface ChatSettings {
  readonly mutedUntil: number;
  readonly pinned: boolean;
  readonly archivedAt: Seq | null;
}

/** What the first handling of a command on the user's own stream answered. */
export interface SavedAnswer {
  readonly id: CommandId;
  /** What has to be the same when the id comes again. Says nothing personal: this stream keeps no mac of the body. */
  readonly about: string;
  readonly time: number;
  readonly chain: string;
}

/** What a user decided for itself alone; without the profile, which is personal and depends on nothing. */
export interface UserSettings {
  /** Chats whose settings are not the usual ones. */
  readonly chats: ReadonlyMap<ConversationId, ChatSettings>;
  readonly blocked: ReadonlySet<UserId>;
  readonly erased: boolean;
  readonly window: IdWindow<SavedAnswer>;
}

/** A command with every name resolved. */
export type UserCommand = { readonly id: CommandId; readonly by: UserId } & (
  | {
      readonly type: 'change-chat-settings';
      readonly conversationId: ConversationId;
      readonly mutedUntil: number | undefined;
      readonly pinned: boolean | undefined;
      readonly archived: boolean | undefined;
      /** The chat's seq; undefined: the user is no member of it. */
      readonly seq: Seq | undefined;
    }
  | { readonly type: 'block' | 'unblock'; readonly user: UserId }
  /** null: of every device. */
  | { readonly type: 'sign-out'; readonly deviceId: DeviceId | null }
  | {
      readonly type: 'change-profile';
      readonly profile: NonNullable<Extract<UserEvent, { type: 'profile-changed' }>['profile']>;
    }
);

/** Few commands of one kind come from one user, and a look-up of an older id reads one user's stream. */
const windowSize = 200;
const usual: ChatSettings = { mutedUntil: 0, pinned: false, archivedAt: null };
const beginning: UserSettings = {
  chats: new Map(),
  blocked: new Set(),
  erased: false,
  window: emptyIdWindow(windowSize),
};

const equal = (one: ChatSettings, other: ChatSettings): boolean =>
  one.mutedUntil === other.mutedUntil && one.pinned === other.pinned && one.archivedAt === other.archivedAt;

const aboutSessions = (device: DeviceId | null): string => (device === null ? 'all sessions' : `sessions of ${device}`);

export const aboutCommand = (command: UserCommand): string => {
  switch (command.type) {
    case 'change-chat-settings':
      return `settings of ${command.conversationId}`;
    case 'block':
    case 'unblock':
      return `${command.type} ${command.user}`;
    case 'change-profile':
      return 'profile';
    case 'sign-out':
      return aboutSessions(command.deviceId);
    default:
      return command satisfies never;
  }
};

/** The same of the event a command became; undefined: no command's. */
export const aboutEvent = (event: UserEvent): string | undefined => {
  switch (event.type) {
    case 'chat-settings-changed':
      return `settings of ${event.conversationId}`;
    case 'user-blocked':
      return `block ${event.blocked}`;
    case 'user-unblocked':
      return `unblock ${event.blocked}`;
    case 'profile-changed':
      return 'profile';
    case 'contact-saved':
      return `save ${event.contact}`;
    case 'contact-removed':
      return `remove ${event.contact}`;
    case 'sessions-ended':
      return aboutSessions(event.deviceId);
    case 'user-registered':
    case 'user-disabled':
    case 'user-erased':
      return undefined;
    default:
      return event satisfies never;
  }
};

export const evolveUserSettings = (
  before: UserSettings = beginning,
  event: UserEvent,
  { time, link }: Pick<Recording, 'time' | 'link'>,
): UserSettings => {
  const about = aboutEvent(event);
  const window =
    about !== undefined && 'commandId' in event
      ? addId(before.window, { id: event.commandId, about, time, chain: link ?? '' })
      : before.window;
  return { ...before, ...changeOf(before, event), window };
};

const changeOf = (before: UserSettings, event: UserEvent): Partial<UserSettings> => {
  switch (event.type) {
    case 'chat-settings-changed': {
      const { conversationId, mutedUntil, pinned, archivedAt } = event;
      const chats = new Map(before.chats);
      const settings = { mutedUntil, pinned, archivedAt };
      if (equal(settings, usual)) chats.delete(conversationId);
      else chats.set(conversationId, settings);
      return { chats };
    }
    case 'user-blocked':
    case 'user-unblocked':
      return { blocked: blockedAfter(before.blocked, event) };
    case 'user-erased':
      return { erased: true };
    case 'user-registered':
    case 'profile-changed':
    case 'contact-saved':
    case 'contact-removed':
    case 'sessions-ended':
    case 'user-disabled':
      return {};
    default:
      return event satisfies never;
  }
};

/** For those who deliver, too: whom the user blocks after an event of its stream. */
export const blockedAfter = (before: ReadonlySet<UserId>, event: UserEvent): ReadonlySet<UserId> => {
  if (event.type === 'user-blocked') return new Set(before).add(event.blocked);
  if (event.type !== 'user-unblocked') return before;
  const rest = new Set(before);
  rest.delete(event.blocked);
  return rest;
};

export const foldUserSettings = (
  from: Folded<UserSettings>,
  events: readonly RecordedEvent[],
): Folded<UserSettings> | Blocked => fold(from, events, isUserEvent, evolveUserSettings);

const unchanged = { outcome: 'unchanged' } as const;
const decided = (event: UserEvent): Decision<UserEvent> => ({ outcome: 'events', events: [event] });
const rejected = (...because: Parameters<typeof reject>): Decision<UserEvent> => ({
  outcome: 'rejected',
  rejection: reject(...because),
});

/** The rules of what a user decides for itself. Whether the command's id was seen before is settled first. */
export const decideUserSettings = (before: UserSettings = beginning, command: UserCommand): Decision<UserEvent> => {
  const { id: commandId, by } = command;
  if (before.erased) return rejected('unauthenticated', 'the account is gone');
  switch (command.type) {
    case 'change-chat-settings':
      return changeChatSettings(before, command);
    case 'block':
      if (command.user === by) return rejected('own_user', 'nobody blocks itself');
      if (before.blocked.has(command.user)) return unchanged;
      if (before.blocked.size >= mostBlocked)
        return rejected('blocks_full', `at most ${mostBlocked} users are blocked`);
      return decided({ type: 'user-blocked', commandId, blocked: command.user });
    case 'unblock':
      if (!before.blocked.has(command.user)) return unchanged;
      return decided({ type: 'user-unblocked', commandId, blocked: command.user });
    case 'change-profile':
      return decided({ type: 'profile-changed', commandId, profile: command.profile });
    case 'sign-out':
      return decided({ type: 'sessions-ended', commandId, deviceId: command.deviceId, reason: 'signed-out' });
    default:
      return command satisfies never;
  }
};

const changeChatSettings = (
  { chats }: UserSettings,
  command: Extract<UserCommand, { type: 'change-chat-settings' }>,
): Decision<UserEvent> => {
  const { id: commandId, conversationId, seq, archived } = command;
  if (seq === undefined) {
    return rejected('conversation_not_found', 'there is no such conversation, or you are not a member of it');
  }
  const present = chats.get(conversationId) ?? usual;
  const after: ChatSettings = {
    mutedUntil: command.mutedUntil ?? present.mutedUntil,
    pinned: command.pinned ?? present.pinned,
    archivedAt: archived === undefined ? present.archivedAt : archived ? seq : null,
  };
  if (equal(present, after)) return unchanged;
  return decided({ type: 'chat-settings-changed', commandId, conversationId, ...after });
};
