import type { ConversationKind, Role } from '../schemas/conversation-events.ts';
import type { CommandId, Seq, UserId } from '../schemas/ids.ts';
import type { Conversation, FirstAnswer } from './conversation.ts';
import { freshOf, withFresh, type IdWindow } from './id-window.ts';

/** Raise it whenever the form below or what `evolve` makes of an event changes: older snapshots are then ignored. */
export const conversationCodeVersion = 1;

/** Snapshots are written every 1,000 events, and the window is most of one: rows instead of objects, users by index. */
interface SnapshotForm {
  readonly kind: ConversationKind;
  readonly members: readonly (readonly [UserId, Role, since: number, visibleFrom: Seq])[];
  readonly seq: Seq;
  readonly namedAt: number;
  /** Each seq less the one before. */
  readonly deleted: readonly number[];
  readonly window: WindowForm;
}

interface WindowForm {
  readonly size: number;
  readonly arrivals: number;
  readonly idTimeMax: number;
  readonly droppedTimeMax: number;
  readonly users: readonly UserId[];
  readonly settled: readonly AnswerForm[];
  readonly fresh: readonly AnswerForm[];
}

type AnswerForm = readonly [CommandId, byIndex: number, mac: string, seq: Seq | null, time: number, chain: string];

/** The state for a `Snapshot` of `conversationCodeVersion`; it holds no personal data. */
export const conversationToSnapshot = ({ kind, members, seq, namedAt, deleted, window }: Conversation): string => {
  const form: SnapshotForm = {
    kind,
    members: Array.from(members, ([user, { role, since, visibleFrom }]) => [user, role, since, visibleFrom]),
    seq,
    namedAt,
    deleted: deleted.map((one, index) => one - (deleted[index - 1] ?? 0)),
    window: windowToForm(window),
  };
  return JSON.stringify(form);
};

/** For a state of `conversationCodeVersion` whose checksum is right: such a one was made above, as the type says. */
export const conversationFromSnapshot = (state: string): Conversation => {
  const { kind, members, seq, namedAt, deleted, window } = JSON.parse(state) as SnapshotForm;
  let last = 0;
  return {
    kind,
    members: new Map(members.map(([user, role, since, visibleFrom]) => [user, { role, since, visibleFrom }])),
    seq,
    namedAt,
    window: windowFromForm(window),
    deleted: deleted.map((difference) => (last += difference)),
  };
};

const windowToForm = (window: IdWindow): WindowForm => {
  const { size, arrivals, idTimeMax, droppedTimeMax, settled } = window;
  const indexes = new Map<UserId, number>();
  const toForm = ({ id, by, mac, seq, time, chain }: FirstAnswer): AnswerForm => {
    const index = indexes.get(by) ?? indexes.size;
    indexes.set(by, index);
    return [id, index, mac, seq ?? null, time, chain];
  };
  const forms = { settled: Array.from(settled.values(), toForm), fresh: freshOf(window).map(toForm) };
  return { size, arrivals, idTimeMax, droppedTimeMax, users: [...indexes.keys()], ...forms };
};

const windowFromForm = ({ users, settled, fresh, ...rest }: WindowForm): IdWindow => {
  const fromForm = ([id, index, mac, seq, time, chain]: AnswerForm): FirstAnswer => {
    const by = users[index];
    if (by === undefined) throw new Error('a snapshot names a user it does not list');
    return { id, by, mac, seq: seq ?? undefined, time, chain };
  };
  const byId = new Map(settled.map(fromForm).map((answer) => [answer.id, answer]));
  return withFresh({ ...rest, settled: byId }, fresh.map(fromForm));
};
