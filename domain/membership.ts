import type { ConversationEvent } from '../schemas/conversation-events.ts';
import type { RecordedEvent } from '../schemas/events.ts';
import type { UserId } from '../schemas/ids.ts';
import type { Folded, Member, Membership } from './conversation.ts';
import { fold, isConversationEvent, type Blocked } from './fold.ts';

type EventAfterStart = Exclude<ConversationEvent, { type: 'conversation-started' }>;

/** Throws on a stream that does not begin with `conversation-started`: no decision writes one. */
export const evolveMembership = (
  before: Membership | undefined,
  event: ConversationEvent,
  revision: number,
): Membership => {
  if (event.type === 'conversation-started') {
    const members = event.members.map(({ userId, role }): [UserId, Member] => [
      userId,
      { role, since: revision, visibleFrom: event.seq },
    ]);
    return { kind: event.kind, members: new Map(members), seq: event.seq, namedAt: -1 };
  }
  if (before === undefined) throw new Error(`a conversation's stream begins with ${event.type}`);
  return {
    kind: before.kind,
    members: membersAfter(before.members, event, revision),
    seq: event.seq,
    namedAt: event.type === 'conversation-renamed' ? revision : before.namedAt,
  };
};

const membersAfter = (
  members: ReadonlyMap<UserId, Member>,
  event: EventAfterStart,
  revision: number,
): ReadonlyMap<UserId, Member> => {
  switch (event.type) {
    case 'member-added': {
      const { role, visibleFrom } = event;
      // Whoever comes back stands behind those who stayed.
      return new Map(without(members, event.userId)).set(event.userId, { role, since: revision, visibleFrom });
    }
    case 'member-removed':
      return without(members, event.userId);
    case 'member-left':
      return without(members, event.by);
    case 'role-changed': {
      const member = members.get(event.userId);
      return member === undefined ? members : new Map(members).set(event.userId, { ...member, role: event.role });
    }
    case 'conversation-renamed':
    case 'message-sent':
    case 'message-edited':
    case 'message-deleted':
      return members;
    default:
      return event satisfies never;
  }
};

const without = (members: ReadonlyMap<UserId, Member>, user: UserId): ReadonlyMap<UserId, Member> => {
  const rest = new Map(members);
  rest.delete(user);
  return rest;
};

/** For those who deliver: the membership without what only deciding needs. */
export const foldMembership = (
  from: Folded<Membership>,
  events: readonly RecordedEvent[],
): Folded<Membership> | Blocked =>
  fold(from, events, isConversationEvent, (before, event, { revision }) => evolveMembership(before, event, revision));
