import type { Client } from '../client/client.ts';

/** Of those the server tells of in one answer. */
const mostAsked = 200;

/** Who is who in one person's chats. */
export class ChatNames {
  readonly #client: Client;
  readonly #ownName: string;
  readonly #names = new Map<string, string>();
  /** Whose names were asked for: not everybody has one. */
  readonly #asked = new Set<string>();
  /** By whose name a new chat is being opened. */
  readonly #opening = new Map<string, string>();

  constructor(client: Client, ownName: string) {
    this.#client = client;
    this.#ownName = ownName;
  }

  /** What people call a conversation. */
  titleOf(conversationId: string): string {
    const chat = this.#client.chat(conversationId);
    if (chat?.kind === 'group') return chat.name ?? '(erased)';
    const peer = this.peerOf(conversationId);
    const name = peer === undefined ? 'a new chat' : this.nameOf(peer);
    return this.#names.get(peer ?? '') ?? this.#opening.get(conversationId) ?? name;
  }

  nameOf(userId: string): string {
    if (userId === this.#client.userId) return this.#ownName;
    return this.#names.get(userId) ?? userId.slice(0, 6);
  }

  /** The other one of a one-to-one chat. */
  peerOf(conversationId: string): string | undefined {
    const chat = this.#client.chat(conversationId);
    if (chat?.kind !== 'direct') return undefined;
    return chat.members.find(({ userId }) => userId !== this.#client.userId)?.userId;
  }

  /** By whose name the chat is being opened. */
  openingOf(provisional: string): string | undefined {
    return this.#opening.get(provisional);
  }

  opening(provisional: string, name: string): void {
    this.#opening.set(provisional, name);
  }

  opened(provisional: string, conversationId: string): void {
    const name = this.#opening.get(provisional);
    if (name !== undefined) this.#opening.set(conversationId, name);
  }

  /** Who was asked for by a name has that name. */
  namePeer(conversationId: string): void {
    const name = this.#opening.get(conversationId);
    const peer = this.peerOf(conversationId);
    if (name !== undefined && peer !== undefined) this.#names.set(peer, name);
  }

  named(userId: string, displayName: string | null): void {
    if (displayName !== null) this.#names.set(userId, displayName);
  }

  isNamed(userId: string): boolean {
    return this.#names.has(userId);
  }

  wasAsked(userId: string): boolean {
    return this.#asked.has(userId);
  }

  /** Perhaps it has a name by now. */
  askAgain(userId: string): void {
    this.#asked.delete(userId);
  }

  /** Asks who the others are, and tells who we are if nobody was told yet. False: there was nobody to ask for. */
  async learn(): Promise<boolean> {
    const { userId } = this.#client;
    const members = this.#client.chats().flatMap((chat) => chat.members.map((member) => member.userId));
    const unknown = [...new Set([...members, userId ?? ''])].filter((id) => !this.#asked.has(id)).slice(0, mostAsked);
    for (const id of unknown) this.#asked.add(id);
    if (unknown.length === 0) return false;
    const { users } = await this.#client.profiles(unknown);
    for (const user of users) this.named(user.userId, user.displayName);
    // Also where the read models do not know yet that we are here.
    const isNameless = !users.some((user) => user.userId === userId && user.displayName !== null);
    if (unknown.includes(userId ?? '') && isNameless) this.#client.changeProfile({ displayName: this.#ownName });
    return true;
  }
}
