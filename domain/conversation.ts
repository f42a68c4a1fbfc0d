import type { ConversationKind, Role } from '../schemas/conversation-events.ts';
import type { CommandId, Seq, UserId } from '../schemas/ids.ts';
import type { IdWindow } from './id-window.ts';

export interface Member {
  readonly role: Role;
  /** The revision of the event that began the present membership. */
  readonly since: number;
  /** The member sees messages after this seq, fixed in that event. */
  readonly visibleFrom: Seq;
}

/** Who belongs to a conversation and what each may see: all that delivery needs. */
export interface Membership {
  readonly kind: ConversationKind;
  /** In the order in which they joined: when the last admin leaves, the first of the others becomes admin. */
  readonly members: ReadonlyMap<UserId, Member>;
  /** The seq of the last message. */
  readonly seq: Seq;
  /** The revision of the newest event that holds the group's name (it is personal, so it stays in its event); −1: none. */
  readonly namedAt: number;
}

/** What the decider knows of a conversation: no personal data, and bounded however long the conversation is. */
export interface Conversation extends Membership {
  readonly window: IdWindow;
  /** Seqs of deleted messages, ascending. */
  readonly deleted: readonly Seq[];
}

/** A conversation's stream folded up to a revision; undefined state: the stream is missing (revision −1). */
export interface Folded<State> {
  readonly state: State | undefined;
  readonly revision: number;
}

/** What the first handling of a command answered; kept so that a resend gets the same. */
export interface FirstAnswer {
  readonly id: CommandId;
  readonly by: UserId;
  readonly mac: string;
  /** The seq a send got; undefined for every other command. */
  readonly seq: Seq | undefined;
  readonly time: number;
  readonly chain: string;
}
