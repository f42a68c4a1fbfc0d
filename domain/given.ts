import type { ConversationEvent, Role } from '../schemas/conversation-events.ts';
import type { ErrorCode } from '../schemas/errors.ts';
import { commandId, userId, uuidV7, type CommandId, type Seq, type UserId } from '../schemas/ids.ts';
import { defaultLimits, type Limits } from '../schemas/limits.ts';
import type { Conversation } from './conversation.ts';
import { decide, type ConversationCommand, type Decision } from './decide-conversation.ts';
import { evolve } from './evolve-conversation.ts';

/** The language in which the rules of a conversation are tested: given events, when a command comes, then a decision. */
export const user = (name: string): UserId => userId.parse(name.padEnd(22, 'A'));

/** The `n`-th id whose time is `time`. */
export const idAt = (time: number, n = 0): CommandId =>
  commandId.parse(uuidV7(time, Uint8Array.of(0, 0, 0, 0, 0, 0, n >>> 24, n >>> 16, n >>> 8, n)));

/** An event but for where it stands: `given` counts seqs and ids. */
export type Happening = (said: { commandId: CommandId; idTimeMax: number; mac: string; seq: Seq }) => ConversationEvent;

export const startedDirect =
  (by: UserId, other: UserId): Happening =>
  (said) => ({
    type: 'conversation-started',
    ...said,
    by,
    kind: 'direct',
    members: [by, other].map((one) => ({ userId: one, role: 'member' })),
  });

export const startedGroup =
  (by: UserId, ...others: readonly UserId[]): Happening =>
  (said) => ({
    type: 'conversation-started',
    ...said,
    by,
    kind: 'group',
    members: [by, ...others].map((one) => ({ userId: one, role: one === by ? 'admin' : 'member' })),
  });

export const added =
  (by: UserId, whom: UserId): Happening =>
  (said) => ({ type: 'member-added', ...said, by, userId: whom, role: 'member', visibleFrom: said.seq });

export const removed =
  (by: UserId, whom: UserId): Happening =>
  (said) => ({ type: 'member-removed', ...said, by, userId: whom });

export const left =
  (by: UserId): Happening =>
  (said) => ({ type: 'member-left', ...said, by });

export const roleChanged =
  (by: UserId, whom: UserId, role: Role): Happening =>
  (said) => ({ type: 'role-changed', ...said, by, userId: whom, role });

export const sent =
  (by: UserId, text = 'hello'): Happening =>
  (said) => ({ type: 'message-sent', ...said, seq: said.seq + 1, by, replyTo: null, content: { type: 'text', text } });

export const deleted =
  (by: UserId, target: Seq): Happening =>
  (said) => ({ type: 'message-deleted', ...said, by, target });

export const mac = 'A'.repeat(22);
const firstIdTime = 1_000_000;

/** What a command asks, without the id and the mac that every one has. */
export type Asking = ConversationCommand extends infer C ? (C extends C ? Omit<C, 'id' | 'mac'> : never) : never;

export interface Given {
  readonly state: Conversation | undefined;
  readonly when: (asking: Asking, limits?: Limits) => Decision;
}

export const given = (...happenings: readonly Happening[]): Given => {
  let state: Conversation | undefined;
  happenings.forEach((happening, revision) => {
    const idTime = firstIdTime + revision;
    const event = happening({ commandId: idAt(idTime), idTimeMax: idTime, mac, seq: state?.seq ?? 0 });
    state = evolve(state, event, { revision, time: idTime, link: `link ${revision}` });
  });
  return {
    state,
    when: (asking, limits = defaultLimits) =>
      decide(state, { ...asking, id: idAt(firstIdTime + happenings.length), mac }, limits),
  };
};

/** The events of a decision, each without what all events say; or the code of the rejection. */
export const outcomeOf = (decision: Decision): 'unchanged' | ErrorCode | readonly object[] => {
  if (decision.outcome === 'unchanged') return 'unchanged';
  if (decision.outcome === 'rejected') return decision.rejection.code;
  return decision.events.map(({ commandId, idTimeMax, mac, ...rest }) => rest);
};
