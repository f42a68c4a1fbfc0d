import { randomBytes } from 'node:crypto';
import { evolveMembership } from '../domain/membership.ts';
import type { Membership } from '../domain/conversation.ts';
import { isConversationEvent } from '../domain/fold.ts';
import type { MessageContent } from '../schemas/content.ts';
import { eventTypes, type ParleyEvent, type RecordedEvent } from '../schemas/events.ts';
import {
  conversationId,
  userId,
  uuidV7,
  type CommandId,
  type ConversationId,
  type EventId,
  type UserId,
} from '../schemas/ids.ts';
import { logId, type LogId } from '../schemas/position.ts';
import type { Availability } from '../schemas/presence-events.ts';
import { conversationStream, presenceStream, receiptsStream, userStream, type StreamName } from '../schemas/streams.ts';
import type { FollowedBatch } from './read-model.ts';

const sixteenBytes = (): string => Buffer.from(randomBytes(16)).toString('base64url');
export const newLogId = (): LogId => logId.parse(sixteenBytes());
export const newUserId = (): UserId => userId.parse(sixteenBytes());
export const newConversationId = (): ConversationId => conversationId.parse(sixteenBytes());
export const newCommandId = (): CommandId => uuidV7(Date.now(), randomBytes(10)) as CommandId;

/**
 * What happened, as recorded events of one log in which nothing else happens. Time is the place in seconds, so that a
 * test can say when something was.
 */
export class Story {
  readonly log = newLogId();
  events: RecordedEvent[] = [];
  /** Between `n` and the place, as after a restore. */
  readonly base = 1_000;
  readonly #revisions = new Map<StreamName, number>();
  readonly #memberships = new Map<ConversationId, Membership>();
  #taken = 0;
  /** Events that were told and are no longer kept. */
  #forgotten = 0;

  /** Of the last event. */
  get place(): number {
    return this.base + this.#forgotten + this.events.length;
  }

  /** Events no batch has had yet. */
  get untold(): number {
    return this.events.length - this.#taken;
  }

  /** What happened since the last call, as the next batch. */
  batch(most = Infinity): FollowedBatch {
    const events = this.events.slice(this.#taken, this.#taken + most);
    this.#taken += events.length;
    return this.batchOf(events, this.#forgotten + this.#taken);
  }

  /** Keeps no events that a batch has had: for long stories. */
  forgetTold(): void {
    this.#forgotten += this.#taken;
    this.events = this.events.slice(this.#taken);
    this.#taken = 0;
  }

  batchOf(events: readonly RecordedEvent[], n: number): FollowedBatch {
    const last = events.at(-1);
    const event = last === undefined ? null : { n: last.position.n, eventId: last.eventId };
    return { events, through: { log: this.log, n, place: this.base + n, event } };
  }

  ofStream(stream: StreamName): readonly RecordedEvent[] {
    return this.events.filter((event) => event.stream === stream);
  }

  membership(id: ConversationId): Membership {
    const membership = this.#memberships.get(id);
    if (membership === undefined) throw new Error('no such conversation');
    return membership;
  }

  record(stream: StreamName, event: ParleyEvent): RecordedEvent {
    const { critical, version } = eventTypes[event.type];
    return this.#push(stream, { event, type: event.type, schemaVersion: version, critical });
  }

  /** An event of a later version of the program. */
  unknown(stream: StreamName, critical: boolean): RecordedEvent {
    return this.#push(stream, { event: undefined, type: 'from-the-future', schemaVersion: 7, critical });
  }

  #push(stream: StreamName, what: Pick<RecordedEvent, 'event' | 'type' | 'schemaVersion' | 'critical'>): RecordedEvent {
    const revision = (this.#revisions.get(stream) ?? -1) + 1;
    this.#revisions.set(stream, revision);
    const eventId = uuidV7(Date.now(), randomBytes(10)) as EventId;
    const n = this.#forgotten + this.events.length + 1;
    const time = (this.base + n) * 1_000;
    const recorded: RecordedEvent = {
      ...what,
      stream,
      revision,
      position: { log: this.log, n },
      eventId,
      time,
      causationId: eventId,
      correlationId: eventId,
      link: null,
    };
    this.events.push(recorded);
    const { event } = what;
    if (event !== undefined && isConversationEvent(event)) {
      const id = stream.slice('conversation-'.length) as ConversationId;
      this.#memberships.set(id, evolveMembership(this.#memberships.get(id), event, revision));
    }
    return recorded;
  }

  #base(id: ConversationId, by: UserId, more = 0) {
    const seq = (this.#memberships.get(id)?.seq ?? 0) + more;
    return { commandId: newCommandId(), idTimeMax: 1, mac: sixteenBytes(), by, seq };
  }

  user(displayName?: string): UserId {
    const id = newUserId();
    this.record(userStream(id), { type: 'user-registered', kind: 'person', issuer: 'an issuer', subject: 'a subject' });
    if (displayName !== undefined) this.profile(id, { displayName });
    return id;
  }

  profile(user: UserId, profile: { readonly displayName?: string; readonly statusText?: string } | null): void {
    this.record(userStream(user), { type: 'profile-changed', commandId: newCommandId(), profile });
  }

  group(creator: UserId, ...others: readonly UserId[]): ConversationId {
    return this.#start('group', creator, others);
  }

  direct(one: UserId, other: UserId): ConversationId {
    return this.#start('direct', one, [other]);
  }

  #start(kind: 'group' | 'direct', by: UserId, others: readonly UserId[]): ConversationId {
    const id = newConversationId();
    const members = [by, ...others].map((userId, index) => ({
      userId,
      role: index === 0 ? ('admin' as const) : ('member' as const),
    }));
    this.record(conversationStream(id), { type: 'conversation-started', ...this.#base(id, by), kind, members });
    return id;
  }

  rename(id: ConversationId, by: UserId, name: string | null): void {
    this.record(conversationStream(id), { type: 'conversation-renamed', ...this.#base(id, by), name });
  }

  send(id: ConversationId, by: UserId, said: string | MessageContent | null = 'hello', replyTo: number | null = null) {
    const content = typeof said === 'string' ? { type: 'text' as const, text: said } : said;
    const base = this.#base(id, by, 1);
    this.record(conversationStream(id), { type: 'message-sent', ...base, replyTo, content });
    return { seq: base.seq, messageId: base.commandId };
  }

  edit(id: ConversationId, by: UserId, target: number, text: string | null): void {
    const content = text === null ? null : { type: 'text' as const, text };
    this.record(conversationStream(id), { type: 'message-edited', ...this.#base(id, by), target, content });
  }

  remove(id: ConversationId, by: UserId, target: number): void {
    this.record(conversationStream(id), { type: 'message-deleted', ...this.#base(id, by), target });
  }

  add(id: ConversationId, by: UserId, userId: UserId): void {
    const base = this.#base(id, by);
    this.record(conversationStream(id), {
      type: 'member-added',
      ...base,
      userId,
      role: 'member',
      visibleFrom: base.seq,
    });
  }

  expel(id: ConversationId, by: UserId, userId: UserId): void {
    this.record(conversationStream(id), { type: 'member-removed', ...this.#base(id, by), userId });
  }

  leave(id: ConversationId, by: UserId): void {
    this.record(conversationStream(id), { type: 'member-left', ...this.#base(id, by) });
  }

  mark(id: ConversationId, userId: UserId, marks: { readonly delivered?: number; readonly read?: number }): void {
    const { read = 0, delivered = read } = marks;
    this.record(receiptsStream(id), { type: 'receipts-advanced', marks: [{ userId, delivered, read }] });
  }

  block(user: UserId, blocked: UserId): void {
    this.record(userStream(user), { type: 'user-blocked', commandId: newCommandId(), blocked });
  }

  unblock(user: UserId, blocked: UserId): void {
    this.record(userStream(user), { type: 'user-unblocked', commandId: newCommandId(), blocked });
  }

  settings(
    user: UserId,
    conversationId: ConversationId,
    { mutedUntil = 0, pinned = false, archivedAt = null }: Partial<ChatSettingsOf> = {},
  ): void {
    const settings = { conversationId, mutedUntil, pinned, archivedAt };
    this.record(userStream(user), { type: 'chat-settings-changed', commandId: newCommandId(), ...settings });
  }

  online(user: UserId): void {
    this.record(presenceStream(user), { type: 'came-online' });
  }

  offline(user: UserId, lastSeen: number): void {
    this.record(presenceStream(user), { type: 'went-offline', lastSeen });
  }

  announce(user: UserId, availability: Availability, text: string | null = null): void {
    this.record(presenceStream(user), { type: 'status-announced', availability, text });
  }

  erase(user: UserId): void {
    this.record(userStream(user), { type: 'user-erased' });
  }
}

interface ChatSettingsOf {
  readonly mutedUntil: number;
  readonly pinned: boolean;
  readonly archivedAt: number | null;
}
