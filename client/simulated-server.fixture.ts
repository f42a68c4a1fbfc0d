import type { ClientFrameInput, ServerFrame, ServerFrameOf } from '../schemas/frames.ts';
import { conversationId, commandId, userId, type CommandId, type ConversationId } from '../schemas/ids.ts';
import { uuidV7 } from '../schemas/uuid-v7.ts';
import type { ChatView, MemberView, MessageView } from '../schemas/views.ts';

export const me = userId.parse('MEMEMEMEMEMEMEMEMEMEMA');
export const other = userId.parse('OTHEROTHEROTHEROTHEROA');
export const talks: readonly ConversationId[] = ['A', 'B'].map((letter) =>
  conversationId.parse(letter.repeat(21) + 'A'),
);

type SentFrame = ServerFrameOf<'message'>;
type Logged = SentFrame | ServerFrameOf<'conversation' | 'member-added' | 'edited' | 'receipts'>;

/** What the server would refuse a send with. */
export type Refusal = Pick<ServerFrameOf<'rejected'>, 'code' | 'retry' | 'retryAfterMs' | 'serverTime'>;

/**
 * What the protocol says of the other end: a log, and for one connection of `me` the frames on their way. Answers and events
 * travel apart, so that a test lets them overtake each other.
 */
export class SimulatedServer {
  time = 1_000_000;
  readonly log: Logged[] = [];
  answers: ServerFrame[] = [];
  events: ServerFrame[] = [];
  /** The greatest mark `me` confirmed of each conversation. */
  readonly marks = new Map<string, { delivered: number; read: number }>();
  /** Handed out to the next commands, one each. */
  readonly refusals: Refusal[] = [];
  /** What was asked for that is kept nowhere. */
  readonly ephemeral: ClientFrameInput[] = [];
  /** False: as if the read models were away, so that a first sync comes from the log. */
  readsChats = true;
  /** The conversations whose settings were changed. */
  readonly settings: string[] = [];
  private ids = 0;
  private live = false;

  constructor() {
    for (const id of talks) {
      const members = [me, other].map((user) => ({ userId: user, role: 'admin' as const }));
      const talk = { conversationId: id, kind: 'group', name: 'talk', members } as const;
      this.log.push({ type: 'conversation', ...talk, seq: 0, visibleFrom: 0, by: me, time: 0, version: 0 });
    }
  }

  messages(id: string): SentFrame[] {
    return this.log.filter((frame): frame is SentFrame => frame.type === 'message' && frame.conversationId === id);
  }

  views(id: string, after: number): MessageView[] {
    return this.messages(id)
      .filter(({ seq }) => seq > after)
      .map(({ seq, messageId, by, time, content }) => {
        const edit = this.log.findLast(
          (frame) => frame.type === 'edited' && frame.conversationId === id && frame.seq === seq,
        );
        const newest = edit?.type === 'edited' ? edit : { content, version: 0 };
        const plain = { state: 'shown', replyTo: null, editedAt: null, cut: false } as const;
        return { seq, messageId, by, time, ...plain, content: newest.content, version: newest.version };
      });
  }

  members(id: string): MemberView[] {
    const at = (frame: Logged): frame is ServerFrameOf<'member-added'> =>
      frame.type === 'member-added' && frame.conversationId === id;
    return [me, other].map((user) => {
      const added = this.log.findIndex((frame) => at(frame) && frame.userId === user);
      const before = this.log.slice(0, Math.max(added, 0));
      const visibleFrom = before.filter((frame) => frame.type === 'message' && frame.conversationId === id).length;
      const moved = this.log.findLast(
        (frame) => frame.type === 'receipts' && frame.conversationId === id && frame.marks[0]?.userId === user,
      );
      const marks = (moved?.type === 'receipts' && moved.marks[0]) || { delivered: 0, read: 0 };
      const { delivered, read } = marks;
      return { userId: user, role: 'admin', visibleFrom, delivered, read, deliveredAt: null, readAt: null };
    });
  }

  chat(id: ConversationId, unread: number): ChatView {
    const seq = this.messages(id).length;
    const what = {
      conversationId: id,
      kind: 'group',
      name: 'talk',
      peer: null,
      role: 'admin',
      memberCount: 2,
    } as const;
    const place = { seq, visibleFrom: 0, version: 0, lastMessage: null, activeAt: 0 };
    const own = { delivered: 0, read: 0, unread, mutedUntil: 0, pinned: false, archived: false, incomplete: false };
    return { ...what, ...place, ...own };
  }

  connect(): void {
    this.cut();
    const limits = { textCharacters: 100, groupMembers: 10, frameBytes: 10_000 };
    const deviceId = 'phone' as ServerFrameOf<'welcome'>['deviceId'];
    this.answers.push({ type: 'welcome', protocol: 1, userId: me, deviceId, time: this.time, limits });
  }

  /** What was on its way is lost. */
  cut(): void {
    this.answers = [];
    this.events = [];
    this.live = false;
  }

  say(id: ConversationId, text: string, by = other, messageId = this.newId()): SentFrame {
    const seq = this.messages(id).length + 1;
    const content = { type: 'text', text } as const;
    return this.append({ type: 'message', conversationId: id, seq, messageId, by, time: this.time++, content });
  }

  edit(id: ConversationId, seq: number, text: string): void {
    const version = this.log.filter(({ type }) => type === 'edited').length + 1;
    const change = { conversationId: id, by: other, time: this.time++, version };
    this.append({ type: 'edited', ...change, seq, content: { type: 'text', text } });
  }

  read(id: ConversationId, seq: number): void {
    const marks = [{ userId: other, delivered: seq, read: seq }];
    this.append({ type: 'receipts', conversationId: id, marks, time: this.time++ });
  }

  sync(): void {
    if (this.live) this.events.push({ type: 'synced', cursor: String(this.log.length), caughtUp: true });
  }

  receive(frame: ClientFrameInput): void {
    if (frame.type === 'typing' || frame.type === 'subscribe-presence') this.ephemeral.push(frame);
    else if (frame.type === 'resume') this.resume(Number(frame.cursor ?? 0));
    else if (frame.type === 'first-sync') {
      if (this.readsChats) this.firstSync(Number(frame.after ?? 0));
      else this.resume(0);
    } else if (frame.type === 'send') this.decide(conversationId.parse(frame.conversationId), frame);
    else if (frame.type === 'change-chat-settings') {
      this.settings.push(frame.conversationId);
      const saved = { type: 'saved', commandId: commandId.parse(frame.commandId) } as const;
      this.answers.push({ ...saved, time: this.time, chain: '', readAfter: '' });
    } else if (frame.type === 'mark') this.mark(conversationId.parse(frame.conversationId), frame);
  }

  /** A page a chat, so that it can be cut in between. */
  private firstSync(after: number): void {
    const next = String(this.log.length);
    const places = talks.map((id) => this.log.findLastIndex((frame) => frame.conversationId === id));
    const changed = talks
      .map((id, talk) => ({ id, place: (places[talk] ?? -1) + 1 }))
      .filter(({ place }) => place > after);
    for (const { id, place } of changed.toSorted((one, other) => one.place - other.place)) {
      this.events.push({ type: 'changes', changes: [{ type: 'chat', chat: this.chat(id, 0) }], next: String(place) });
    }
    for (const id of talks) {
      const messages = this.views(id, 0).slice(-50);
      const members = this.members(id);
      this.events.push({ type: 'history', conversationId: id, members, messages, isFirst: messages.length < 50 });
    }
    this.resume(Number(next));
  }

  private resume(from: number): void {
    this.live = true;
    for (const frame of this.log.slice(from)) this.events.push(frame);
    this.sync();
  }

  private decide(id: ConversationId, frame: Extract<ClientFrameInput, { type: 'send' }>): void {
    const messageId = commandId.parse(frame.messageId);
    const known = this.messages(id).find((message) => message.messageId === messageId);
    const refusal = known === undefined ? this.refusals.shift() : undefined;
    if (refusal !== undefined) {
      this.answers.push({ type: 'rejected', messageId, message: '', ...refusal });
      return;
    }
    const text = frame.content.type === 'text' ? frame.content.text : '';
    // The connection that sent it gets the answer in place of the message.
    const { seq, time } = known ?? this.quietly(() => this.say(id, text, me, messageId));
    this.answers.push({ type: 'accepted', messageId, conversationId: id, seq, time, chain: '', readAfter: '' });
  }

  private mark(
    id: ConversationId,
    { delivered = 0, read = 0 }: { delivered?: number | undefined; read?: number | undefined },
  ): void {
    const before = this.marks.get(id) ?? { delivered: 0, read: 0 };
    const marks = { delivered: Math.max(before.delivered, delivered, read), read: Math.max(before.read, read) };
    this.marks.set(id, marks);
    this.answers.push({ type: 'marked', conversationId: id, ...marks, time: this.time, readAfter: '' });
  }

  private quietly<T>(append: () => T): T {
    const { live } = this;
    this.live = false;
    const made = append();
    this.live = live;
    return made;
  }

  private append<Frame extends Logged>(frame: Frame): Frame {
    this.log.push(frame);
    if (this.live) this.events.push(frame);
    return frame;
  }

  private newId(): CommandId {
    return commandId.parse(
      uuidV7(this.time, new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, this.ids >> 8, this.ids++ & 255])),
    );
  }
}
