import type { UserId } from '../schemas/ids.ts';
import type { InboxTable } from './cassandra-inbox-schema.ts';
import {
  isPresent,
  presentMembers,
  type ConversationFold,
  type MemberState,
  type Touched,
} from './cassandra-inbox-fold.ts';
import { idBytes } from './inbox-codes.ts';
import { stampOf, type Preview } from './cassandra-inbox-values.ts';

/** Cells of one row that are of one stream, with the stamp of its revision. */
export interface RowWrite {
  readonly table: InboxTable;
  readonly stamp: number;
  readonly values: Readonly<Record<string, Buffer | string | number | boolean>>;
}

type Values = Readonly<Record<string, Buffer | string | number | boolean>>;

const lastOf = (last: Preview | undefined): string => (last === undefined ? '' : JSON.stringify(last));

/** What the row of a conversation says, also in its copies. */
const described = (fold: ConversationFold, members: number): Values => ({
  kind: fold.kind,
  name: fold.name ?? '',
  members,
  seq: fold.seq,
  revision: fold.revision,
  place: fold.place,
  described_place: fold.describedPlace,
  changed_place: fold.changedPlace,
  active_place: fold.activePlace,
  active_at: fold.activeAt,
  last: lastOf(fold.last),
});

const membership = (member: MemberState): Values => {
  if (member.role === undefined || member.begunBy === undefined) return {};
  return {
    role: member.role,
    since: member.since,
    rank: member.rank,
    visible_from: member.visibleFrom,
    joined_place: member.joinedPlace,
    member_place: member.place,
    begun_by: idBytes(member.begunBy),
    begun_at: member.begunAt,
    member_version: member.version,
  };
};

/** Nothing of what is said stays where it is not kept up. */
const notCopied: Values = { copied: false, last: '' };

/** Of a one-to-one chat, the other one. */
const peerOf = (fold: ConversationFold, user: UserId): Values => {
  const other = [...fold.members].find(([id, { role }]) => id !== user && role !== undefined);
  return fold.kind === 0 && other !== undefined ? { peer: idBytes(other[0]) } : {};
};

/** The rows that a batch changed of a conversation. Those of up to `mostCopied` members have copies of its row. */
export const conversationWrites = (fold: ConversationFold, touched: Touched, mostCopied: number): RowWrite[] => {
  const present = presentMembers(fold);
  const isCopied = present.length <= mostCopied;
  return [
    ...(touched.conversation ? ofConversation(fold, touched, present, isCopied) : []),
    ...ofReceipts(fold, touched, present, isCopied),
  ];
};

const ofConversation = (
  fold: ConversationFold,
  touched: Touched,
  present: readonly UserId[],
  isCopied: boolean,
): RowWrite[] => {
  const stamp = stampOf(fold.revision);
  const conversation = idBytes(fold.id);
  const row = described(fold, present.length);
  const writes: RowWrite[] = [{ table: 'conversation', stamp, values: { conversation, ...row } }];
  const owners = new Set([...touched.memberships, ...touched.senders]);
  for (const id of owners) {
    const member = fold.members.get(id);
    if (member === undefined) continue;
    const own = touched.senders.has(id) ? { own: member.own, own_at: member.ownAt } : {};
    const begun = touched.memberships.has(id) ? membership(member) : {};
    writes.push({ table: 'member', stamp, values: { conversation, user: idBytes(id), ...begun, ...own } });
  }
  const tellAll = isCopied || touched.wasCopied || touched.again;
  for (const id of new Set([...(tellAll ? present : []), ...owners])) {
    const member = fold.members.get(id);
    if (member === undefined) continue;
    const begun = touched.memberships.has(id) ? { ...membership(member), ...peerOf(fold, id) } : {};
    const own = touched.senders.has(id) ? { own: member.own } : {};
    const copy = isCopied && isPresent(member) ? { copied: true, ...row } : notCopied;
    writes.push({ table: 'chat', stamp, values: { user: idBytes(id), conversation, ...begun, ...own, ...copy } });
  }
  return writes;
};

const ofReceipts = (
  fold: ConversationFold,
  touched: Touched,
  present: readonly UserId[],
  isCopied: boolean,
): RowWrite[] => {
  if (fold.marksRevision < 0) return [];
  const stamp = stampOf(fold.marksRevision);
  const conversation = idBytes(fold.id);
  const marks_place = fold.marksPlace;
  const writes: RowWrite[] = [];
  if (touched.receipts)
    writes.push({
      table: 'conversation',
      stamp,
      values: { conversation, marks_place, marks_revision: fold.marksRevision },
    });
  for (const id of touched.marked) {
    const member = fold.members.get(id);
    if (member === undefined) continue;
    const { delivered, deliveredAt: delivered_at, read, readAt: read_at } = member;
    const marks = { delivered, delivered_at, read, read_at };
    writes.push({ table: 'member', stamp, values: { conversation, user: idBytes(id), ...marks } });
  }
  // Who comes to a chat finds the marks of before.
  const tellAll = touched.receipts || !touched.wasCopied || touched.again;
  const told = new Set(isCopied ? present.filter((id) => tellAll || touched.memberships.has(id)) : []);
  for (const id of new Set([...told, ...touched.marked])) {
    const { delivered, read } = fold.members.get(id) ?? { delivered: 0, read: 0 };
    const own = touched.marked.has(id) ? { delivered, read } : {};
    const copy = told.has(id) ? { marks_place } : {};
    writes.push({ table: 'chat', stamp, values: { user: idBytes(id), conversation, ...own, ...copy } });
  }
  return writes;
};
