import type { MessageContent } from '../schemas/content.ts';
import type { ConversationEvent } from '../schemas/conversation-events.ts';
import { eventTypes, type ParleyEvent, type RecordedEvent } from '../schemas/events.ts';
import { commandId, conversationId, eventId, userId, uuidV7 } from '../schemas/ids.ts';
import type { ConversationId, UserId } from '../schemas/ids.ts';
import { logId } from '../schemas/position.ts';
import { conversationStream, userStream, type StreamName } from '../schemas/streams.ts';
import { findInText, parseQuery } from '../schemas/search-query.ts';
import type { FollowedBatch } from '../projections/read-model.ts';
import { searchedText } from '../projections/project-search.ts';
import type { SearchFilters, SearchHit } from '../projections/search.ts';

export const someUser = (n: number): UserId => userId.parse(`user${n}`.padEnd(21, '-') + 'A');
export const someConversation = (n: number): ConversationId => conversationId.parse(`chat${n}`.padEnd(21, '-') + 'A');
export const textOf = (text: string): MessageContent => ({ type: 'text', text });

const log = logId.parse('search-history-------A');

export interface KnownMessage {
  readonly conversationId: ConversationId;
  readonly seq: number;
  readonly by: UserId;
  readonly time: number;
  /** null: deleted, or its author erased. */
  readonly content: MessageContent | null;
}

export interface KnownConversation {
  readonly members: Map<UserId, number>;
  readonly messages: KnownMessage[];
  seq: number;
}

/**
 * Events as a log would give them, written by hand, and beside them what a person may find: the plainest fold there is,
 * made to be compared with. `gap` lies between two events in the log.
 */
export const searchHistory = (gap = 1) => {
  const events: RecordedEvent[] = [];
  const revisions = new Map<StreamName, number>();
  const conversations = new Map<ConversationId, KnownConversation>();
  const blocks = new Set<string>();
  let at = 0;
  let ids = 0;

  const nextId = (): string => uuidV7(1_000 + ids, Uint8Array.of(0, 0, 0, 0, 0, 0, 0, ids >>> 16, ids >>> 8, ids++));
  const time = (): number => 1_000_000 + events.length * 10;
  const record = (stream: StreamName, type: string, critical: boolean, event: ParleyEvent | undefined): void => {
    const revision = (revisions.get(stream) ?? -1) + 1;
    revisions.set(stream, revision);
    const id = nextId();
    at += gap;
    events.push({
      ...{ eventId: eventId.parse(id), time: time(), causationId: id, correlationId: id, event, stream, revision },
      ...{ position: { log, n: at }, type, schemaVersion: 1, critical, link: null },
    });
  };
  const add = (stream: StreamName, event: ParleyEvent): void =>
    record(stream, event.type, eventTypes[event.type].critical, event);
  const known = (id: ConversationId): KnownConversation => {
    const conversation = conversations.get(id) ?? { members: new Map(), messages: [], seq: 0 };
    conversations.set(id, conversation);
    return conversation;
  };
  const said = (by: UserId, seq: number) => ({
    ...{ commandId: commandId.parse(nextId()), idTimeMax: 0, mac: 'A'.repeat(22), by, seq },
  });
  const happen = (id: ConversationId, event: ConversationEvent): void => add(conversationStream(id), event);
  const change = (id: ConversationId, seq: number, content: MessageContent | null): void => {
    const { messages } = known(id);
    const message = messages[seq - 1];
    if (message !== undefined && message.content !== null) messages[seq - 1] = { ...message, content };
  };

  return {
    events,
    conversations,
    start(id: ConversationId, by: UserId, ...others: readonly UserId[]): void {
      const members = [by, ...others].map((one) => ({ userId: one, role: 'member' as const }));
      for (const { userId: one } of members) known(id).members.set(one, 0);
      happen(id, { type: 'conversation-started', ...said(by, 0), kind: 'group', members });
    },
    /** Its seq. A content of null is that of an erased author. */
    send(id: ConversationId, by: UserId, content: MessageContent | null): number {
      const conversation = known(id);
      const seq = ++conversation.seq;
      conversation.messages.push({ conversationId: id, seq, by, time: time(), content });
      happen(id, { type: 'message-sent', ...said(by, seq), replyTo: null, content });
      return seq;
    },
    edit(id: ConversationId, by: UserId, target: number, content: MessageContent): void {
      change(id, target, content);
      happen(id, { type: 'message-edited', ...said(by, known(id).seq), target, content });
    },
    remove(id: ConversationId, by: UserId, target: number): void {
      change(id, target, null);
      happen(id, { type: 'message-deleted', ...said(by, known(id).seq), target });
    },
    addMember(id: ConversationId, by: UserId, whom: UserId): void {
      const { seq, members } = known(id);
      members.set(whom, seq);
      happen(id, { type: 'member-added', ...said(by, seq), userId: whom, role: 'member', visibleFrom: seq });
    },
    removeMember(id: ConversationId, by: UserId, whom: UserId): void {
      known(id).members.delete(whom);
      happen(id, { type: 'member-removed', ...said(by, known(id).seq), userId: whom });
    },
    leave(id: ConversationId, by: UserId): void {
      known(id).members.delete(by);
      happen(id, { type: 'member-left', ...said(by, known(id).seq) });
    },
    block(by: UserId, blocked: UserId): void {
      blocks.add(`${by} ${blocked}`);
      add(userStream(by), { type: 'user-blocked', commandId: commandId.parse(nextId()), blocked });
    },
    unblock(by: UserId, blocked: UserId): void {
      blocks.delete(`${by} ${blocked}`);
      add(userStream(by), { type: 'user-unblocked', commandId: commandId.parse(nextId()), blocked });
    },
    erase(user: UserId): void {
      for (const { messages } of conversations.values()) {
        for (const [index, message] of messages.entries()) {
          if (message.by === user) messages[index] = { ...message, content: null };
        }
      }
      add(userStream(user), { type: 'user-erased' });
    },
    /** An event that only a later version knows. */
    unknown: (stream: StreamName, critical: boolean): void => record(stream, 'of-the-future', critical, undefined),
    /** What the user should find, newest first. */
    expected(user: UserId, text: string, filters: SearchFilters = {}): readonly SearchHit[] {
      const query = parseQuery(text);
      if (typeof query === 'string') throw new Error(query);
      const hits: SearchHit[] = [];
      for (const [id, { members, messages }] of conversations) {
        const visibleFrom = members.get(user);
        if (visibleFrom === undefined || (filters.conversationId ?? id) !== id) continue;
        for (const { content, ...message } of messages) {
          const { seq, by, time: sentAt } = message;
          if (content === null || seq <= visibleFrom || blocks.has(`${user} ${by}`)) continue;
          if ((filters.sender ?? by) !== by || (filters.type ?? content.type) !== content.type) continue;
          if (sentAt >= (filters.before ?? Infinity) || sentAt < (filters.after ?? 0)) continue;
          const highlights = findInText(query, searchedText(content));
          if (highlights !== undefined) hits.push({ ...message, content, highlights });
        }
      }
      return hits.toSorted((a, b) => b.time - a.time);
    },
  };
};

export type SearchHistory = ReturnType<typeof searchHistory>;

/** The events from the index `from` up to `to` as one batch of the follow loop. */
export const batchOf = (events: readonly RecordedEvent[], from = 0, to = events.length): FollowedBatch => {
  const last = events[to - 1];
  const n = last?.position.n ?? 0;
  const event = last === undefined ? null : { n, eventId: last.eventId };
  return { events: events.slice(from, to), through: { log, n, place: n, event } };
};
