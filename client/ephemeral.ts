import type { ServerFrameOf } from '../schemas/frames.ts';
import { isLive, openNumber } from './connection.ts';
import { emit, type Core } from './core.ts';

/** What is neither stored nor resumed: who is here and who types. */
export interface Ephemeral {
  /** Whom the application shows. */
  watched: readonly string[];
  /** When the server is to be told of them; Infinity: it knows. */
  watchedDue: number;
  watchedNotBefore: number;
  readonly presence: Map<string, Presence & { readonly version: number }>;
  /** Until when somebody types, by conversation and user. */
  readonly typing: Map<string, Map<string, number>>;
  /** When we may say again that we type, by conversation. */
  readonly typingNotBefore: Map<string, number>;
}

export interface Presence {
  readonly userId: string;
  readonly online: boolean;
  /** Null: online, or never seen, or not for us to know. */
  readonly lastSeen: number | null;
  readonly availability: 'available' | 'away' | 'busy';
  readonly statusText: string | null;
  /** Changes come by themselves. */
  readonly live: boolean;
}

const betweenTypingMs = 3_000;
const typingLastsMs = 5_000;
/** The server allows a burst, and then one a second. */
const betweenWatchingMs = 1_000;

export const nothingEphemeral = (): Ephemeral => ({
  watched: [],
  watchedDue: Infinity,
  watchedNotBefore: 0,
  presence: new Map(),
  typing: new Map(),
  typingNotBefore: new Map(),
});

export const watch = ({ state: { ephemeral } }: Core, userIds: readonly string[], now: number): void => {
  ephemeral.watched = userIds;
  ephemeral.watchedDue = Math.max(now, ephemeral.watchedNotBefore);
};

/** A new connection knows of nobody. */
export const watchAgain = ({ state: { ephemeral } }: Core, now: number): void => {
  ephemeral.watchedDue = ephemeral.watched.length > 0 ? now : Infinity;
};

export const watchRefused = ({ state: { ephemeral } }: Core, retryAfterMs: number, now: number): void => {
  ephemeral.watchedDue = now + retryAfterMs;
};

export const takePresence = (core: Core, { users }: ServerFrameOf<'presence'>): void => {
  const { presence } = core.state.ephemeral;
  for (const user of users) {
    const known = presence.get(user.userId);
    if (known !== undefined && user.version < known.version) continue;
    presence.set(user.userId, user);
    emit(core, 'presence', user);
  }
};

/** Our user types, at this moment: said now and then, and to nobody while we are not connected. */
export const sayTyping = (core: Core, conversationId: string, now: number): void => {
  const { ephemeral, chats } = core.state;
  const number = openNumber(core);
  const isTooSoon = (ephemeral.typingNotBefore.get(conversationId) ?? 0) > now;
  if (number === undefined || !isLive(core) || !chats.has(conversationId) || isTooSoon) return;
  ephemeral.typingNotBefore.set(conversationId, now + betweenTypingMs);
  core.effects.push({ type: 'transmit', number, frame: { type: 'typing', conversationId } });
};

export const takeTyping = (core: Core, { conversationId, by }: ServerFrameOf<'typing'>, now: number): void => {
  const { typing } = core.state.ephemeral;
  const typists = typing.get(conversationId) ?? new Map<string, number>();
  typing.set(conversationId, typists);
  const isNew = !typists.has(by);
  typists.set(by, now + typingLastsMs);
  if (isNew) emit(core, 'typing', { conversationId, userId: by, typing: true });
};

/** Its message is here, or it has been silent for long enough. */
export const endTyping = (core: Core, conversationId: string, userId: string): void => {
  const { typing } = core.state.ephemeral;
  const typists = typing.get(conversationId);
  if (typists?.delete(userId) !== true) return;
  if (typists.size === 0) typing.delete(conversationId);
  emit(core, 'typing', { conversationId, userId, typing: false });
};

export const tickEphemeral = (core: Core, now: number): void => {
  const { ephemeral } = core.state;
  for (const [conversationId, typists] of ephemeral.typing) {
    for (const [userId, until] of typists) if (until <= now) endTyping(core, conversationId, userId);
  }
  const number = openNumber(core);
  if (number === undefined || ephemeral.watchedDue > now) return;
  ephemeral.watchedDue = Infinity;
  ephemeral.watchedNotBefore = now + betweenWatchingMs;
  const users = [...ephemeral.watched];
  core.effects.push({ type: 'transmit', number, frame: { type: 'subscribe-presence', users } });
};

export const ephemeralWakesAt = (core: Core): number => {
  const { typing, watchedDue } = core.state.ephemeral;
  let at = openNumber(core) === undefined ? Infinity : watchedDue;
  for (const typists of typing.values()) for (const until of typists.values()) at = Math.min(at, until);
  return at;
};
