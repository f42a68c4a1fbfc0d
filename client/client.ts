import type { MessageContent } from '../schemas/content.ts';
import type { ConversationKind, Role } from '../schemas/conversation-events.ts';
import type { ErrorCode } from '../schemas/errors.ts';
import type { UserRef } from '../schemas/commands.ts';
import { isArchived, unreadOf } from './chats.ts';
import type { Outcome } from './core.ts';
import { Engine } from './engine.ts';
import type { Presence } from './ephemeral.ts';
import type { ClientEvents, ConnectionStatus, SendState } from './events.ts';
import { sendStateOf } from './marks.ts';
import { memoryStorage } from './memory-storage.ts';
import { platformDefaults, type Platform } from './platform.ts';
import type { Blocks, Found, Members, OneMessage, Page, Profile, Profiles } from './rest.ts';
import { restore } from './restore.ts';
import type { CacheSize, Chat as HeldChat, Draft, Item, Message } from './state.ts';
import type { ClientStorage } from './storage.ts';
import { lastMessageOf } from './timeline.ts';

export type { Answer, Outcome } from './core.ts';
export type { ClientEvents, ConnectionStatus, SendState } from './events.ts';
export type { Presence } from './ephemeral.ts';
export type { Platform, Socket } from './platform.ts';
export { ReadError } from './rest.ts';
export type { CacheSize, Message } from './state.ts';
export type { Changes, ClientStorage, Json } from './storage.ts';
export { memoryStorage } from './memory-storage.ts';

export interface Options {
  /** Where the server is, as `https://chat.example`. */
  readonly url: string;
  /**
   * Where there are several servers: ask `url` for them, connect to the one it names first, and to the next when one ends or
   * does not answer. `region`: where we are, as the operator names it.
   */
  readonly servers?: { readonly region?: string };
  /** Asked before every connection, and again before the token expires by its `exp`: the connection lives on with the next one. */
  readonly token: () => string | Promise<string>;
  /** What must survive a restart. In memory unless given. */
  readonly storage?: ClientStorage;
  readonly cache?: Partial<CacheSize>;
  readonly platform?: Partial<Platform>;
}

/** A conversation as a list of chats shows it. */
export interface Chat {
  readonly conversationId: string;
  readonly kind: ConversationKind;
  readonly name: string | null;
  /** Empty while it is not known yet: of a group that a new device has not opened. `history` and `members` ask for it. */
  readonly members: readonly { readonly userId: string; readonly role: Role }[];
  readonly lastMessage: Message | null;
  readonly activeAt: number;
  readonly unread: number;
  readonly read: number;
  readonly mutedUntil: number;
  readonly pinned: boolean;
  readonly archived: boolean;
  readonly incomplete: boolean;
}

/** A message at its place; of ours also how far it has come. */
export interface PlacedMessage extends Message {
  readonly sendState: SendState | null;
}

/** A message of ours that was refused, is not answered yet, or has its place behind messages that have not come yet. */
export interface OutgoingMessage {
  readonly messageId: string;
  readonly content: MessageContent;
  readonly replyTo: number | null;
  readonly sendState: 'sending' | 'sent' | 'failed';
  readonly code: ErrorCode | null;
}

/** A command that was taken in: it goes out, now or when there is a connection. */
export interface Taken {
  /** Of a send: its messageId. Of an opening: a provisional conversationId, to send to already. */
  readonly id: string;
  readonly outcome: Promise<Outcome>;
}

export interface SearchOptions {
  readonly conversation?: string;
  readonly sender?: string;
  readonly before?: number;
  readonly after?: number;
  readonly type?: MessageContent['type'];
  /** `next` of the page before. */
  readonly cursor?: string;
  readonly limit?: number;
}

export interface HistoryOptions {
  readonly before?: number;
  readonly after?: number;
  readonly around?: number;
  readonly limit?: number;
}

export interface ChatSettings {
  /** Milliseconds since 1970; 0 is not muted. */
  readonly mutedUntil?: number;
  readonly pinned?: boolean;
  readonly archived?: boolean;
}

/** Opens the storage and begins to connect, over and over until `close`. */
export const connect = async (options: Options): Promise<Client> => {
  const platform = { ...platformDefaults(), ...options.platform };
  const { token, servers, storage = memoryStorage() } = options;
  const cache = { messages: 50, chats: 200, ...options.cache };
  const core = restore(await storage.load(), cache, platform.now());
  return new Client(new Engine(core, { url: options.url.replace(/\/+$/, ''), servers, token, storage, platform }));
};

/** One device of a user. Commands are taken in at any time; reads over REST reject with a `ReadError`. */
export class Client {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  get status(): ConnectionStatus {
    return this.#engine.status;
  }

  /** Null until the first connection. */
  get userId(): string | null {
    return this.#engine.core.state.account.userId;
  }

  /** Commands that have no answer yet. */
  get pending(): number {
    return this.#engine.core.state.byId.size;
  }

  /** What it returns ends the listening. */
  on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => void): () => void {
    return this.#engine.on(name, listener);
  }

  /** Connects now rather than after the wait that is due: the network is back, or the app in the foreground. */
  reconnect(): void {
    this.#engine.dispatch({ type: 'hurry' });
  }

  /** Ends every connection, timer and listener. What was not answered goes out when the storage is opened again. */
  close(): Promise<void> {
    return this.#engine.close();
  }

  /** Pinned ones first, then the newest activity. */
  chats(): Chat[] {
    const known = [...this.#engine.core.state.chats.values()].filter(({ record }) => record.version >= 0);
    return known
      .map(chatShown)
      .sort((one, other) => Number(other.pinned) - Number(one.pinned) || other.activeAt - one.activeAt);
  }

  chat(conversationId: string): Chat | undefined {
    const chat = this.#engine.core.state.chats.get(conversationId);
    return chat === undefined || chat.record.version < 0 ? undefined : chatShown(chat);
  }

  /** The newest messages, as far as they are held, without a hole; `history` has those before. */
  messages(conversationId: string): PlacedMessage[] {
    const { chats, account } = this.#engine.core.state;
    const chat = chats.get(conversationId);
    if (chat === undefined) return [];
    const { record, held } = chat;
    return held
      .filter(({ seq }) => seq <= record.through)
      .map((message) => {
        const isOurs = message.by === account.userId;
        return { ...message, sendState: isOurs ? sendStateOf(record, message.seq, account.userId) : null };
      });
  }

  /** What we said that is not among `messages` yet, in its order. */
  outgoing(conversationId: string): OutgoingMessage[] {
    const { chats, account, lanes, failed } = this.#engine.core.state;
    const chat = chats.get(conversationId);
    const placed = chat?.held.filter(({ seq, by }) => seq > chat.record.through && by === account.userId) ?? [];
    const waiting = (lanes.get(conversationId) ?? []).map(({ item }) => item);
    return [
      ...[...failed.values()].flatMap((item) => outgoingShown(item, conversationId)),
      ...placed.flatMap(placedShown),
      ...waiting.flatMap((item) => outgoingShown(item, conversationId)),
    ];
  }

  send(conversationId: string, content: string | MessageContent, { replyTo }: { replyTo?: number } = {}): Taken {
    const said = typeof content === 'string' ? ({ type: 'text', text: content } as const) : content;
    return this.#take({ type: 'send', conversationId, content: said, ...(replyTo !== undefined && { replyTo }) });
  }

  /** Sends a message that failed once more, as a new one. */
  retry(messageId: string): Taken | undefined {
    const item = this.#engine.core.state.failed.get(messageId);
    if (item === undefined) return undefined;
    this.discard(messageId);
    return this.#take(item.draft);
  }

  /** Forgets a message that failed. */
  discard(messageId: string): void {
    this.#engine.dispatch({ type: 'discard', key: messageId });
  }

  edit(conversationId: string, seq: number, text: string): Taken {
    return this.#take({ type: 'edit', conversationId, seq, content: { type: 'text', text } });
  }

  delete(conversationId: string, seq: number): Taken {
    return this.#take({ type: 'delete', conversationId, seq });
  }

  startDirect(user: UserRef | string): Taken {
    return this.#take({ type: 'start-direct', with: user });
  }

  createGroup(name: string, members: readonly (UserRef | string)[]): Taken {
    return this.#take({ type: 'create-group', name, members: [...members] });
  }

  rename(conversationId: string, name: string): Taken {
    return this.#take({ type: 'rename', conversationId, name });
  }

  addMember(conversationId: string, user: UserRef | string): Taken {
    return this.#take({ type: 'add-member', conversationId, user });
  }

  removeMember(conversationId: string, user: UserRef | string): Taken {
    return this.#take({ type: 'remove-member', conversationId, user });
  }

  changeRole(conversationId: string, user: UserRef | string, role: Role): Taken {
    return this.#take({ type: 'change-role', conversationId, user, role });
  }

  leave(conversationId: string): Taken {
    return this.#take({ type: 'leave', conversationId });
  }

  /** Mute, pin, archive; what is left out stays. */
  changeSettings(conversationId: string, settings: ChatSettings): Taken {
    return this.#take({ type: 'change-chat-settings', conversationId, ...settings });
  }

  block(user: UserRef | string): Taken {
    return this.#take({ type: 'block', user });
  }

  unblock(user: UserRef | string): Taken {
    return this.#take({ type: 'unblock', user });
  }

  /** The whole profile: what is left out is removed. */
  changeProfile(profile: { readonly displayName?: string; readonly statusText?: string }): Taken {
    return this.#take({ type: 'change-profile', ...profile });
  }

  /** Shows us as offline at once, and ends this client; null: on all our devices; or one of them, which ends there. */
  signOut(deviceId?: string | null): Taken {
    return this.#take({ type: 'sign-out', ...(deviceId !== undefined && { deviceId }) });
  }

  announceStatus(availability: Presence['availability'], text?: string): Taken {
    return this.#take({ type: 'announce-status', availability, ...(text !== undefined && { text }) });
  }

  /** Whom the application shows now, in place of those before: `presence` tells how they are and when it changes. */
  watchPresence(userIds: readonly string[]): void {
    this.#engine.dispatch({ type: 'watch', userIds });
  }

  presence(userId: string): Presence | undefined {
    return this.#engine.core.state.ephemeral.presence.get(userId);
  }

  /** A person is typing: call it at every key, it is told every three seconds. */
  typing(conversationId: string): void {
    this.#engine.dispatch({ type: 'typing', conversationId });
  }

  /** Who types now. */
  typists(conversationId: string): string[] {
    return [...(this.#engine.core.state.ephemeral.typing.get(conversationId)?.keys() ?? [])];
  }

  /** A person has read the conversation up to here; without a seq, all of it. */
  markRead(conversationId: string, seq = Infinity): void {
    this.#engine.dispatch({ type: 'mark-read', conversationId, seq });
  }

  /** A page of history; without a place to begin, the newest. With the first one the members are asked for. */
  async history(conversationId: string, options: HistoryOptions = {}): Promise<Page> {
    const path = `/v1/conversations/${conversationId}/messages`;
    const isKnown = this.#engine.core.state.chats.get(conversationId)?.record.membersKnown ?? true;
    const members = isKnown ? undefined : this.members(conversationId);
    const [page] = await Promise.all([this.#engine.rest<Page>(path, { ...options }), members]);
    this.#engine.dispatch({ type: 'history', conversationId, messages: page.messages });
    return page;
  }

  message(conversationId: string, seq: number): Promise<OneMessage> {
    return this.#engine.rest(`/v1/conversations/${conversationId}/messages/${seq}`);
  }

  /** The members with their marks as the server has them. */
  async members(conversationId: string): Promise<Members> {
    const answer = await this.#engine.rest<Members>(`/v1/conversations/${conversationId}/members`);
    this.#engine.dispatch({ type: 'members', conversationId, members: answer.members });
    return answer;
  }

  /** `sender` is a user id, or `@` and a name. */
  search(q: string, options: SearchOptions = {}): Promise<Found> {
    return this.#engine.rest('/v1/search', { q, ...options });
  }

  /** What a user shows of itself; `user` is a user id, or `@` and a name. */
  profile(user: string): Promise<Profile> {
    return this.#engine.rest(`/v1/users/${encodeURIComponent(user)}`);
  }

  /** What at most 200 users show of themselves. */
  profiles(userIds: readonly string[]): Promise<Profiles> {
    return this.#engine.rest('/v1/users', { ids: userIds.join(',') });
  }

  blocks(): Promise<Blocks> {
    return this.#engine.rest('/v1/me/blocks');
  }

  #take(draft: Draft): Taken {
    return this.#engine.command(draft);
  }
}

const chatShown = (chat: HeldChat): Chat => {
  const { conversationId, kind, name, members, activeAt, read, wantedRead, mutedUntil, pinned, incomplete } =
    chat.record;
  return {
    ...{ conversationId, kind, name, members, activeAt, mutedUntil, pinned, incomplete },
    lastMessage: lastMessageOf(chat),
    unread: unreadOf(chat),
    read: Math.max(read, wantedRead),
    archived: isArchived(chat.record),
  };
};

const placedShown = ({ messageId, content, replyTo }: Message): OutgoingMessage[] =>
  content === null ? [] : [{ messageId, content, replyTo, sendState: 'sent', code: null }];

const outgoingShown = ({ key, draft, failed }: Item, conversationId: string): OutgoingMessage[] => {
  if (draft.type !== 'send' || draft.conversationId !== conversationId) return [];
  const { content, replyTo = null } = draft;
  const sendState = failed === null ? 'sending' : 'failed';
  return [{ messageId: key, content, replyTo, sendState, code: failed?.code ?? null }];
};
