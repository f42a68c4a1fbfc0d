import { reject, type Rejection } from '../schemas/errors.ts';
import type { RecordedEvent } from '../schemas/events.ts';
import type { Seq, UserId } from '../schemas/ids.ts';
import type { ReceiptsEvent } from '../schemas/receipts-events.ts';
import type { Folded, Membership } from './conversation.ts';
import { fold, isReceiptsEvent, type Blocked } from './fold.ts';
import { seesMessage } from './visibility.ts';

/** Up to where a user has the messages of a conversation and has read them; never read further than delivered. */
export interface Marks {
  readonly delivered: Seq;
  readonly read: Seq;
}

/** The marks of everybody who ever set one in the conversation. */
export type Receipts = ReadonlyMap<UserId, Marks>;

/** What a user asks to be marked; undefined: nothing of that kind. */
export interface Mark {
  readonly by: UserId;
  readonly delivered: Seq | undefined;
  readonly read: Seq | undefined;
}

const none: Marks = { delivered: 0, read: 0 };

const furthest = (one: Marks, other: Marks): Marks => ({
  delivered: Math.max(one.delivered, other.delivered),
  read: Math.max(one.read, other.read),
});

/** I8: takes the maximum, though only what advances is ever written. */
export const evolveReceipts = (before: Receipts | undefined, event: ReceiptsEvent): Receipts => {
  const receipts = new Map(before);
  for (const { userId, delivered, read } of event.marks) {
    receipts.set(userId, furthest(receipts.get(userId) ?? none, { delivered, read }));
  }
  return receipts;
};

export const foldReceipts = (from: Folded<Receipts>, events: readonly RecordedEvent[]): Folded<Receipts> | Blocked =>
  fold(from, events, isReceiptsEvent, evolveReceipts);

/** Why a mark must not be set: it names a message that is not there, or not for its user to see. */
export const refuseMark = (
  membership: Membership | undefined,
  { by, delivered, read }: Mark,
): Rejection | undefined => {
  const member = membership?.members.get(by);
  if (membership === undefined || member === undefined) {
    return reject('conversation_not_found', 'there is no such conversation, or you are not a member of it');
  }
  const unseen = [delivered, read].some((seq) => seq !== undefined && !seesMessage(membership, member, seq));
  return unseen ? reject('message_not_found', 'there is no such message, or you may not see it') : undefined;
};

export interface MarksDecision {
  /** The one event for all who advance; undefined: nobody does. */
  readonly event: ReceiptsEvent | undefined;
  /** Where each of those who asked stands afterwards, in their order. */
  readonly reached: readonly Marks[];
}

/** Decides marks that wait together; who may not set one was refused before. */
export const decideMarks = (before: Receipts | undefined, asked: readonly Mark[]): MarksDecision => {
  const advanced = new Map<UserId, Marks>();
  const reached = asked.map(({ by, delivered = 0, read = 0 }) => {
    const present = advanced.get(by) ?? before?.get(by) ?? none;
    const after = furthest(present, { delivered: Math.max(delivered, read), read });
    if (after.delivered > present.delivered || after.read > present.read) advanced.set(by, after);
    return after;
  });
  const marks = Array.from(advanced, ([userId, marks]) => ({ userId, ...marks }));
  return { event: marks.length === 0 ? undefined : { type: 'receipts-advanced', marks }, reached };
};
