import type { Client, ClientEvents, OutgoingMessage, PlacedMessage } from '../client/client.ts';
import type { MessageView } from '../schemas/views.ts';
import { ChatNames } from './chat-names.ts';
import { contentText, presenceText } from './chat-text.ts';

/** How a session shows itself. */
export interface ChatDisplay {
  /** What a person should read once, line by line. */
  notice(...lines: string[]): void;
  /** The chat that is open is another one, or was opened anew. */
  opened(): void;
  /** Earlier messages were asked for. */
  older(messages: readonly MessageView[]): void;
  /** A message of the open chat has its place. */
  message(event: ClientEvents['message']): void;
  /** A message of ours in the open chat has come further. */
  outgoing(event: ClientEvents['outgoing']): void;
  /** Something that is shown may have changed. */
  changed(): void;
}

/** Of those one may watch. */
const mostWatched = 200;

const help = `/list                 the chats
/open NAME            the chat with a person, or a group by its title
/group TITLE NAME …   a new group (a title of several words in quotes)
/older                earlier messages
/search WORDS         in all chats
/edit SEQ TEXT        /delete SEQ
/pin  /unpin  /mute  /unmute  /archive  /unarchive
/quit`.split('\n');

/** One person's side of a chat: what is open, and what a line that was typed means. */
export class ChatSession {
  /** Its id, provisional at first for one that is new. */
  open: string | null = null;
  /** Earlier messages of the open chat than the client holds. */
  older: MessageView[] = [];
  readonly client: Client;
  readonly #names: ChatNames;
  readonly #display: ChatDisplay;
  #watched = 0;
  /** Who was not here yet when a chat with it was asked for. */
  #awaited: string | undefined;
  readonly #quit: () => void;

  constructor(client: Client, name: string, display: ChatDisplay, quit: () => void) {
    this.client = client;
    this.#names = new ChatNames(client, name);
    this.#display = display;
    this.#quit = quit;
    client.on('message', (event) => this.#hear(event));
    client.on('outgoing', (event) => {
      if (event.conversationId === this.open) display.outgoing(event);
    });
    client.on('chat-opened', ({ provisional, conversationId }) => {
      this.#names.opened(provisional, conversationId);
      this.#namePeer(conversationId);
      if (this.open === provisional) this.#show(conversationId);
    });
    client.on('chat', ({ conversationId }) => {
      this.#meet(conversationId);
      display.changed();
    });
    client.on('changed', ({ conversationId, seq, ...change }) => {
      if (conversationId === this.open) {
        this.older = this.older.map((message) => (message.seq === seq ? { ...message, ...change } : message));
      }
      display.changed();
    });
    client.on('chat-ended', ({ conversationId }) => {
      display.notice(`you are no longer in ${this.titleOf(conversationId)}`);
      if (conversationId === this.open) this.#show(null);
    });
    client.on('answered', ({ id, command, outcome }) => {
      if (outcome.ok || command === 'send') return;
      display.notice(`${command}: ${outcome.code}: ${outcome.message}`);
      if (id === this.open) this.#await(id);
    });
    client.on('unauthenticated', () => display.notice('the token was refused'));
    client.on('profile', ({ userId, displayName }) => {
      this.#names.named(userId, displayName);
      display.changed();
    });
    client.on('typing', () => display.changed());
    client.on('presence', () => display.changed());
    client.on('connection', ({ status }) => {
      if (status === 'live') void this.#learnNames();
      display.changed();
    });
  }

  titleOf(conversationId: string): string {
    return this.#names.titleOf(conversationId);
  }

  nameOf(userId: string): string {
    return this.#names.nameOf(userId);
  }

  /** Who types in the open chat, or how the other one of it is. */
  presence(now: number): string {
    if (this.open === null) return '';
    const typists = this.client.typists(this.open).map((userId) => this.nameOf(userId));
    if (typists.length > 0) return `${typists.join(', ')} typing …`;
    const peer = this.#names.peerOf(this.open);
    return presenceText(peer === undefined ? undefined : this.client.presence(peer), now);
  }

  /** A person types into the open chat. */
  typing(): void {
    if (this.open !== null) this.client.typing(this.open);
  }

  /** The open chat from the earliest that was loaded to the newest. */
  messages(): (MessageView | PlacedMessage)[] {
    if (this.open === null) return [];
    const held = this.client.messages(this.open);
    const first = held[0]?.seq ?? Infinity;
    return [...this.older.filter(({ seq }) => seq < first), ...held];
  }

  outgoing(): OutgoingMessage[] {
    return this.open === null ? [] : this.client.outgoing(this.open);
  }

  /** A text for the open chat, or a command. */
  obey(line: string): void {
    const [, word = '', rest = ''] = /^\/(\S*)\s*(.*)$/s.exec(line) ?? [];
    if (line === '') return;
    if (!line.startsWith('/')) this.#send(line);
    else if (word === 'list') this.#list();
    else if (word === 'open' && rest !== '') this.openByName(rest);
    else if (word === 'group' && rest !== '') this.#group(rest);
    else if (word === 'older') void this.loadOlder();
    else if (word === 'search' && rest !== '') void this.#search(rest);
    else if (word === 'quit') this.#quit();
    else if (word === 'help') this.#display.notice(...help);
    else if (this.open === null || !this.#change(this.open, word, rest)) this.#display.notice('not understood; /help');
  }

  openByName(name: string): void {
    const known = this.client.chats().find(({ conversationId }) => this.titleOf(conversationId) === name);
    if (known !== undefined) this.#show(known.conversationId);
    else {
      const { id } = this.client.startDirect({ name });
      this.#names.opening(id, name);
      this.#show(id);
    }
  }

  openById(conversationId: string | null): void {
    this.#show(conversationId);
  }

  /** False: there is nothing earlier. */
  async loadOlder(): Promise<boolean> {
    const { open } = this;
    const before = this.messages()[0]?.seq;
    if (open === null || before === undefined || before <= 1) return false;
    return this.#trying(async () => {
      const { messages } = await this.client.history(open, { before, limit: 50 });
      if (this.open !== open) return false;
      this.older = [...messages, ...this.older];
      this.#display.older(messages);
      return messages.length > 0;
    }, false);
  }

  /** The chat cannot be opened yet; it will be when the other one opens it. */
  #await(provisional: string): void {
    this.#awaited = this.#names.openingOf(provisional);
    this.#show(null);
  }

  /** Somebody opened a chat with us: perhaps the one we waited for. */
  #openAwaited(): void {
    const name = this.#awaited;
    if (this.open === null && name !== undefined) this.openByName(name);
  }

  #show(conversationId: string | null): void {
    this.open = conversationId;
    if (conversationId !== null) this.#awaited = undefined;
    this.older = [];
    this.#display.opened();
    if (conversationId !== null) this.client.markRead(conversationId);
  }

  #hear(event: ClientEvents['message']): void {
    const { conversationId, message } = event;
    if (!this.#names.isNamed(message.by) && message.by !== this.client.userId) {
      this.#names.askAgain(message.by);
      this.#meet(conversationId);
    }
    if (conversationId === this.open) {
      this.#display.message(event);
      this.client.markRead(conversationId, message.seq);
    } else if (event.live && message.by !== this.client.userId) {
      this.#display.notice(`${this.titleOf(conversationId)}: ${contentText(message.content, message.state)}`);
    }
  }

  #namePeer(conversationId: string): void {
    this.#names.namePeer(conversationId);
    const watched = this.client.chats().flatMap((chat) => this.#names.peerOf(chat.conversationId) ?? []);
    const isNew = watched.length !== this.#watched;
    this.#watched = watched.length;
    if (isNew) this.client.watchPresence(watched.slice(0, mostWatched));
  }

  /** Learns the names of the members of a chat that are not known yet. */
  #meet(conversationId: string): void {
    this.#namePeer(conversationId);
    const members = this.client.chat(conversationId)?.members ?? [];
    if (members.some(({ userId }) => !this.#names.isNamed(userId))) this.#openAwaited();
    if (this.client.status.status === 'live' && members.some(({ userId }) => !this.#names.wasAsked(userId))) {
      void this.#learnNames();
    }
  }

  #send(text: string): void {
    if (this.open === null) this.#display.notice('no chat is open; /open NAME');
    else this.client.send(this.open, text);
  }

  #list(): void {
    const lines = this.client.chats().map(({ conversationId, unread, pinned, archived }) => {
      const marks = [pinned ? 'pinned' : '', archived ? 'archived' : ''].filter((mark) => mark !== '').join(', ');
      return `${this.titleOf(conversationId)}${unread > 0 ? ` (${unread})` : ''}${marks === '' ? '' : ` – ${marks}`}`;
    });
    this.#display.notice(...(lines.length === 0 ? ['no chats yet; /open NAME'] : lines));
  }

  #group(words: string): void {
    const [, quoted, plain = '', names = ''] = /^(?:"([^"]+)"|(\S+))\s*(.*)$/s.exec(words) ?? [];
    const members = names.split(/\s+/).filter((name) => name !== '');
    const { id } = this.client.createGroup(
      quoted ?? plain,
      members.map((name) => ({ name })),
    );
    this.#show(id);
  }

  #change(open: string, word: string, rest: string): boolean {
    const [, seq = '', text = ''] = /^(\d+)\s*(.*)$/s.exec(rest) ?? [];
    if (word === 'edit' && text !== '') this.client.edit(open, Number(seq), text);
    else if (word === 'delete' && seq !== '') this.client.delete(open, Number(seq));
    else if (word === 'pin' || word === 'unpin') this.client.changeSettings(open, { pinned: word === 'pin' });
    else if (word === 'archive') this.client.changeSettings(open, { archived: true });
    else if (word === 'unarchive') this.client.changeSettings(open, { archived: false });
    else if (word === 'mute') this.client.changeSettings(open, { mutedUntil: Number.MAX_SAFE_INTEGER });
    else if (word === 'unmute') this.client.changeSettings(open, { mutedUntil: 0 });
    else return false;
    return true;
  }

  async #search(words: string): Promise<void> {
    await this.#trying(async () => {
      const { hits } = await this.client.search(words);
      const lines = hits.map(({ conversationId, seq, by, content }) => {
        const where = this.titleOf(conversationId);
        return `${where} ${seq} ${this.nameOf(by)}: ${contentText(content, 'shown')}`;
      });
      this.#display.notice(...(lines.length === 0 ? ['nothing found'] : lines));
    }, undefined);
  }

  async #learnNames(): Promise<void> {
    if (await this.#trying(() => this.#names.learn(), false)) this.#display.changed();
  }

  /** A read that fails is no reason to end: the connection's own state is shown anyway. */
  async #trying<T>(read: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      return await read();
    } catch (error) {
      this.#display.notice(error instanceof Error ? error.message : 'not read');
      return otherwise;
    }
  }
}
