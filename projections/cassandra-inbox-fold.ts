import type { ConversationId, UserId } from '../schemas/ids.ts';
import { previewOf } from './inbox-chat-list.ts';
import { kinds, roles } from './inbox-codes.ts';
import type { Preview } from './cassandra-inbox-values.ts';
import type { InboxChange } from './project-inbox.ts';

type ChangeOf<T extends InboxChange['type']> = Extract<InboxChange, { type: T }>;

/** A person's membership, by the conversation's stream, and marks, by that of its receipts. */
export interface MemberState {
  /** Undefined: never was one; -1: is none any more. */
  role: number | undefined;
  since: number;
  rank: number;
  visibleFrom: number;
  joinedPlace: number;
  /** Of the last change of the membership. */
  place: number;
  begunBy: UserId | undefined;
  begunAt: number;
  version: number;
  own: number;
  ownAt: number;
  delivered: number;
  deliveredAt: number;
  read: number;
  readAt: number;
}

/**
 * What the rows of a conversation are written from. It may be read from a store that is ahead of the events that come: those
 * were applied before, and come again after a loss. Then a row is written as it was later, under the stamp of then; each
 * event that made a difference comes again too, and writes it under its own, so in the end all is as the log has it.
 */
export interface ConversationFold {
  readonly id: ConversationId;
  kind: number;
  name: string | null;
  seq: number;
  revision: number;
  place: number;
  describedPlace: number;
  changedPlace: number;
  activePlace: number;
  activeAt: number;
  last: Preview | undefined;
  marksPlace: number;
  marksRevision: number;
  readonly members: Map<UserId, MemberState>;
}

/** What a batch changed of a conversation, and so has to be written. */
export interface Touched {
  /** Whether its row was copied to its members before. */
  readonly wasCopied: boolean;
  /** The store is ahead of the events: what they had written may be lost, so all of it is written. */
  again: boolean;
  conversation: boolean;
  receipts: boolean;
  readonly memberships: Set<UserId>;
  readonly senders: Set<UserId>;
  readonly marked: Set<UserId>;
}

export const emptyConversation = (id: ConversationId): ConversationFold => ({
  id,
  kind: 0,
  name: null,
  seq: 0,
  revision: -1,
  place: 0,
  describedPlace: 0,
  changedPlace: 0,
  activePlace: 0,
  activeAt: 0,
  last: undefined,
  marksPlace: 0,
  marksRevision: -1,
  members: new Map(),
});

export const newMember = (): MemberState => ({
  role: undefined,
  since: 0,
  rank: 0,
  visibleFrom: 0,
  joinedPlace: 0,
  place: 0,
  begunBy: undefined,
  begunAt: 0,
  version: 0,
  own: 0,
  ownAt: 0,
  delivered: 0,
  deliveredAt: 0,
  read: 0,
  readAt: 0,
});

export const isPresent = ({ role }: MemberState): boolean => role !== undefined && role >= 0;

export const presentMembers = ({ members }: ConversationFold): readonly UserId[] =>
  [...members].flatMap(([user, member]) => (isPresent(member) ? [user] : []));

const memberOf = ({ members }: ConversationFold, user: UserId): MemberState => {
  const found = members.get(user);
  if (found !== undefined) return found;
  const made = newMember();
  members.set(user, made);
  return made;
};

/** The changes that are of a conversation's row and its members'; edits and deletions come when their message is known. */
export type ConversationChange =
  | ChangeOf<'conversation-advanced'>
  | ChangeOf<'conversation-started'>
  | ChangeOf<'conversation-named'>
  | ChangeOf<'member-joined'>
  | ChangeOf<'member-ended'>
  | ChangeOf<'role-changed'>
  | ChangeOf<'message-sent'>
  | ChangeOf<'message-edited'>
  | ChangeOf<'message-deleted'>;

export const changeConversation = (
  fold: ConversationFold,
  touched: Touched,
  change: ConversationChange,
  place: number,
): void => {
  switch (change.type) {
    case 'conversation-advanced':
      [fold.seq, fold.revision, fold.place] = [change.seq, change.revision, place];
      touched.conversation = true;
      return;
    case 'message-sent': {
      const { seq, messageId: id, by, time, replyTo, content } = change;
      [fold.activePlace, fold.activeAt] = [place, time];
      fold.last = { seq, id, by, time, replyTo, deleted: false, ...previewOf(content), version: 0, changedAt: null };
      const sender = memberOf(fold, by);
      [sender.own, sender.ownAt] = [seq, time];
      touched.senders.add(by);
      return;
    }
    case 'message-edited':
    case 'message-deleted':
      fold.changedPlace = place;
      return;
    case 'conversation-started':
      fold.kind = kinds.indexOf(change.kind);
      [fold.activePlace, fold.activeAt, fold.describedPlace] = [place, change.time, place];
      return;
    case 'conversation-named':
      [fold.name, fold.describedPlace] = [change.name, place];
      return;
    case 'member-joined': {
      const { user, role, since, rank, visibleFrom, by: begunBy, time: begunAt, version } = change;
      const begun = { since, rank, visibleFrom, joinedPlace: place, place, begunBy, begunAt, version };
      Object.assign(memberOf(fold, user), { role: roles.indexOf(role), ...begun });
      fold.describedPlace = place;
      touched.memberships.add(user);
      return;
    }
    case 'member-ended': {
      const { user, by: begunBy, time: begunAt, version } = change;
      fold.describedPlace = place;
      const member = fold.members.get(user);
      if (member?.role === undefined) return;
      Object.assign(member, { role: -1, place, begunBy, begunAt, version });
      touched.memberships.add(user);
      return;
    }
    case 'role-changed': {
      fold.describedPlace = place;
      const member = fold.members.get(change.user);
      if (member?.role === undefined) return;
      [member.role, member.place] = [roles.indexOf(change.role), place];
      touched.memberships.add(change.user);
      return;
    }
    default:
      change satisfies never;
  }
};

/** After its message was changed: what lists show of the newest one. */
export const changePreview = (
  fold: ConversationFold,
  change: ChangeOf<'message-edited'> | ChangeOf<'message-deleted'>,
): void => {
  const { last } = fold;
  if (last?.seq !== change.seq) return;
  const { version, time: changedAt } = change;
  fold.last =
    change.type === 'message-deleted'
      ? { ...last, version, changedAt, deleted: true, content: null, cut: false }
      : { ...last, version, changedAt, deleted: false, ...previewOf(change.content) };
};

export const advanceMarks = (
  fold: ConversationFold,
  touched: Touched,
  { user, delivered, read, time }: ChangeOf<'marks-advanced'>,
  place: number,
  revision: number,
): void => {
  [fold.marksPlace, fold.marksRevision] = [place, revision];
  touched.receipts = true;
  const most = Math.max(delivered, read);
  if (most === 0) return;
  const member = memberOf(fold, user);
  if (most > member.delivered) [member.delivered, member.deliveredAt] = [most, time];
  if (read > member.read) [member.read, member.readAt] = [read, time];
  touched.marked.add(user);
};
