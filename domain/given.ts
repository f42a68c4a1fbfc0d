import type { ConversationEvent, Role } from '../schemas/conversation-events.ts';
import type { ErrorCode } from '../schemas/errors.ts';
import { eventTypes, type RecordedEvent } from '../schemas/events.ts';
import { commandId, conversationId, eventId, userId, uuidV7 } from '../schemas/ids.ts';
import type { CommandId, Seq, UserId } from '../schemas/ids.ts';
import { defaultLimits, type Limits } from '../schemas/limits.ts';
import { logId } from '../schemas/position.ts';
import { conversationStream } from '../schemas/streams.ts';
import type { Conversation, Folded } from './conversation.ts';
import { decide, type ConversationCommand, type Decision } from './decide-conversation.ts';
import { foldConversation } from './evolve-conversation.ts';
import type { Blocked } from './fold.ts';

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

export const edited =
  (by: UserId, target: Seq, text = 'better'): Happening =>
  (said) => ({ type: 'message-edited', ...said, by, target, content: { type: 'text', text } });

export const deleted =
  (by: UserId, target: Seq): Happening =>
  (said) => ({ type: 'message-deleted', ...said, by, target });

export const mac = 'A'.repeat(22);
const firstIdTime = 1_000_000;

/** What a command asks, without the id and the mac that every one has. */
export type Asking = ConversationCommand extends infer C ? (C extends C ? Omit<C, 'id' | 'mac'> : never) : never;

/** The event as a log would give it back at a revision. */
export const recordedAt = (revision: number, event: ConversationEvent): RecordedEvent => ({
  eventId: eventId.parse(uuidV7(revision, new Uint8Array(10))),
  time: firstIdTime + revision,
  causationId: event.commandId,
  correlationId: event.commandId,
  stream: conversationStream(conversationId.parse('A'.repeat(22))),
  revision,
  position: { log: logId.parse('A'.repeat(22)), n: revision + 1 },
  type: event.type,
  schemaVersion: eventTypes[event.type].version,
  critical: eventTypes[event.type].critical,
  event,
  link: `link ${revision}`,
});

/** For folds that must not be blocked. */
export const stateOf = <State>(outcome: Folded<State> | Blocked): Folded<State> => {
  if ('blocked' in outcome) throw new Error(`blocked by ${outcome.blocked.type}`);
  return outcome;
};

export interface Given {
  readonly state: Conversation | undefined;
  readonly when: (asking: Asking, limits?: Limits) => Decision;
}

/** A stream of these happenings. */
export const recorded = (...happenings: readonly Happening[]): readonly RecordedEvent[] => {
  let seq = 0;
  return happenings.map((happening, revision) => {
    const idTime = firstIdTime + revision;
    const event = happening({ commandId: idAt(idTime), idTimeMax: idTime, mac, seq });
    seq = event.seq;
    return recordedAt(revision, event);
  });
};

export const given = (...happenings: readonly Happening[]): Given => {
  const missing: Folded<never> = { state: undefined, revision: -1 };
  const { state } = stateOf(foldConversation(missing, recorded(...happenings)));
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
