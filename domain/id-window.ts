import { timeOfUuid, type CommandId } from '../schemas/ids.ts';
import { idWindowSize } from '../schemas/limits.ts';
import type { FirstAnswer } from './conversation.ts';

interface Answered {
  readonly id: CommandId;
}

/**
 * The ids a stream remembers: at least the `size` newest by arrival and the `size` greatest by id time. Whatever
 * was dropped has a time of at most `droppedTimeMax`, so an id with a later time that is not here was never seen.
 *
 * Immutable: staged and cached states share their parts, so adding copies nothing.
 */
export interface IdWindow<Answer extends Answered = FirstAnswer> {
  readonly size: number;
  /** How many ids ever arrived. */
  readonly arrivals: number;
  /** The greatest time in any id that ever arrived. */
  readonly idTimeMax: number;
  /** The greatest time in any id dropped so far (W in the design); −1: none was dropped. */
  readonly droppedTimeMax: number;
  /** In order of arrival, all before `fresh`. */
  readonly settled: ReadonlyMap<CommandId, Answer>;
  /** The newest, and before it those that arrived since the last settling. */
  readonly fresh: Fresh<Answer> | undefined;
}

interface Fresh<Answer> {
  readonly answer: Answer;
  readonly before: Fresh<Answer> | undefined;
  /** With those before it. */
  readonly count: number;
}

/** `unknown`: the id may be one of those dropped, so it has to be looked up. */
export type IdFound<Answer extends Answered = FirstAnswer> = { readonly known: Answer } | 'new' | 'unknown';

export const emptyIdWindow = <Answer extends Answered = FirstAnswer>(size = idWindowSize): IdWindow<Answer> => ({
  size,
  arrivals: 0,
  idTimeMax: 0,
  droppedTimeMax: -1,
  settled: new Map(),
  fresh: undefined,
});

export const findId = <Answer extends Answered>(window: IdWindow<Answer>, id: CommandId): IdFound<Answer> => {
  const time = timeOfUuid(id);
  if (time > window.idTimeMax) return 'new';
  const known = window.settled.get(id) ?? findFresh(window, id);
  if (known !== undefined) return { known };
  return time > window.droppedTimeMax ? 'new' : 'unknown';
};

const findFresh = <Answer extends Answered>({ fresh }: IdWindow<Answer>, id: CommandId): Answer | undefined => {
  for (let at = fresh; at !== undefined; at = at.before) if (at.answer.id === id) return at.answer;
  return undefined;
};

/** In order of arrival. */
const freshOf = <Answer extends Answered>({ fresh }: IdWindow<Answer>): Answer[] => {
  const answers: Answer[] = [];
  for (let at = fresh; at !== undefined; at = at.before) answers.push(at.answer);
  return answers.reverse();
};

/** A window as a snapshot holds it, with its answers in order of arrival. */
export type WindowParts<Answer> = Pick<IdWindow, 'size' | 'arrivals' | 'idTimeMax' | 'droppedTimeMax'> &
  Readonly<Record<'settled' | 'fresh', readonly Answer[]>>;

export const partsOf = <Answer extends Answered>(window: IdWindow<Answer>): WindowParts<Answer> => {
  const { size, arrivals, idTimeMax, droppedTimeMax, settled } = window;
  return { size, arrivals, idTimeMax, droppedTimeMax, settled: [...settled.values()], fresh: freshOf(window) };
};

export const windowOf = <Answer extends Answered>({
  settled,
  fresh,
  ...rest
}: WindowParts<Answer>): IdWindow<Answer> => ({
  ...rest,
  settled: new Map(settled.map((answer) => [answer.id, answer])),
  fresh: fresh.reduce<Fresh<Answer> | undefined>(behind, undefined),
});

/** How many answers the window holds. */
export const answersIn = ({ settled, fresh }: IdWindow<Answered>): number => settled.size + (fresh?.count ?? 0);

export const lastArrived = ({ fresh }: IdWindow): FirstAnswer | undefined => fresh?.answer;

const behind = <Answer>(before: Fresh<Answer> | undefined, answer: Answer): Fresh<Answer> => ({
  answer,
  before,
  count: (before?.count ?? 0) + 1,
});

export const addId = <Answer extends Answered>(window: IdWindow<Answer>, answer: Answer): IdWindow<Answer> => {
  const { size, arrivals, idTimeMax, droppedTimeMax, settled, fresh } =
    (window.fresh?.count ?? 0) < window.size / 8 ? window : settle(window);
  return {
    size,
    arrivals: arrivals + 1,
    idTimeMax: Math.max(idTimeMax, timeOfUuid(answer.id)),
    droppedTimeMax,
    settled,
    fresh: behind(fresh, answer),
  };
};

/** Whether every id that arrived since `arrivals` was `since` is in the window: then a look-up made back then still counts. */
export const holdsAllSince = ({ arrivals, size }: Pick<IdWindow, 'arrivals' | 'size'>, since: number): boolean =>
  arrivals - since <= size;

/**
 * Drops what the definition drops. Between two settlings the window holds more, which is safe.
 * Ids compare as their times do, for the time stands first and in hexadecimal of a fixed length.
 */
const settle = <Answer extends Answered>(window: IdWindow<Answer>): IdWindow<Answer> => {
  const answers = [...window.settled.values(), ...freshOf(window)];
  const surplus = answers.length - window.size;
  const leastOfGreatest = answers.map(({ id }) => id).sort()[Math.max(0, surplus)] ?? '';
  const settled = new Map<CommandId, Answer>();
  let droppedTimeMax = window.droppedTimeMax;
  for (const [arrival, answer] of answers.entries()) {
    if (arrival >= surplus || answer.id >= leastOfGreatest) settled.set(answer.id, answer);
    else droppedTimeMax = Math.max(droppedTimeMax, timeOfUuid(answer.id));
  }
  return { ...window, settled, fresh: undefined, droppedTimeMax };
};
