import type { ConversationKind, Role } from '../schemas/conversation-events.ts';
import type { CommandId, Seq, UserId } from '../schemas/ids.ts';
import type { Conversation, FirstAnswer } from './conversation.ts';
import { partsOf, windowOf, type IdWindow, type WindowParts } from './id-window.ts';

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

type WindowForm = WindowParts<AnswerForm> & { readonly users: readonly UserId[] };

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
  const { settled, fresh, ...rest } = partsOf(window);
  const indexes = new Map<UserId, number>();
  const toForm = ({ id, by, mac, seq, time, chain }: FirstAnswer): AnswerForm => {
    const index = indexes.get(by) ?? indexes.size;
    indexes.set(by, index);
    return [id, index, mac, seq ?? null, time, chain];
  };
  const forms = { settled: settled.map(toForm), fresh: fresh.map(toForm) };
  return { ...rest, users: [...indexes.keys()], ...forms };
};

const windowFromForm = ({ users, settled, fresh, ...rest }: WindowForm): IdWindow => {
  const fromForm = ([id, index, mac, seq, time, chain]: AnswerForm): FirstAnswer => {
    const by = users[index];
    if (by === undefined) throw new Error('a snapshot names a user it does not list');
    return { id, by, mac, seq: seq ?? undefined, time, chain };
  };
  return windowOf({ ...rest, settled: settled.map(fromForm), fresh: fresh.map(fromForm) });
};
