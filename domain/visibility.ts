import type { ConversationEvent } from '../schemas/conversation-events.ts';
import type { Seq, UserId } from '../schemas/ids.ts';
import type { ReceiptsEvent } from '../schemas/receipts-events.ts';
import type { Member, Membership } from './conversation.ts';

/** Whether a member may see the message `seq`, deleted or not. */
export const seesMessage = (membership: Membership, member: Member, seq: Seq): boolean =>
  seq > member.visibleFrom && seq <= membership.seq;

/**
 * Whether a user may receive an event: I6 for every path on which events travel. `membership` is that after the event
 * or any later one, so a resume with the present membership never gives more than live delivery gave.
 */
export const mayReceive = (
  membership: Membership,
  user: UserId,
  event: ConversationEvent,
  revision: number,
): boolean => {
  const member = membership.members.get(user);
  return member === undefined ? endsMembershipOf(event) === user : memberMayReceive(member, event, revision);
};

/** The users to whom an event is delivered; of a later membership, those who are still or again in it. */
export const receivers = (membership: Membership, event: ConversationEvent, revision: number): readonly UserId[] => {
  const users: UserId[] = [];
  for (const [user, member] of membership.members) if (memberMayReceive(member, event, revision)) users.push(user);
  const gone = endsMembershipOf(event);
  if (gone !== undefined && !membership.members.has(gone)) users.push(gone);
  return users;
};

type EventMarks = ReceiptsEvent['marks'];

/**
 * What of an event's marks a user is shown: all of them as soon as one reaches a message that the user may see. In a
 * conversation of more than `mostMembers` everybody sees only its own.
 */
export const marksShownTo = (
  user: UserId,
  { members }: Membership,
  marks: EventMarks,
  mostMembers: number,
): EventMarks => {
  const member = members.get(user);
  return member === undefined ? [] : marksShownToMember(user, member.visibleFrom, members.size, marks, mostMembers);
};

/** The same for a member, of a conversation of which no more is known than how many they are. */
export const marksShownToMember = (
  user: UserId,
  visibleFrom: Seq,
  memberCount: number,
  marks: EventMarks,
  mostMembers: number,
): EventMarks => {
  if (memberCount > mostMembers) return marks.filter(({ userId }) => userId === user);
  return marks.some(({ delivered }) => delivered > visibleFrom) ? marks : [];
};

const memberMayReceive = (member: Member, event: ConversationEvent, revision: number): boolean => {
  if (revision < member.since) return false;
  switch (event.type) {
    case 'message-sent':
      return event.seq > member.visibleFrom;
    case 'message-edited':
    case 'message-deleted':
      return event.target > member.visibleFrom;
    case 'conversation-started':
    case 'conversation-renamed':
    case 'member-added':
    case 'member-removed':
    case 'member-left':
    case 'role-changed':
      return true;
    default:
      return event satisfies never;
  }
};

/** Who is gone after the event, and learns that much. */
const endsMembershipOf = (event: ConversationEvent): UserId | undefined => {
  if (event.type === 'member-removed') return event.userId;
  return event.type === 'member-left' ? event.by : undefined;
};
