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
 * Immutable: staged and cached states share their parts. Adding copies only the few `fresh` answers.
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
  /** In order of arrival; holds the newest. */
  readonly fresh: readonly Answer[];
}

/** `unknown`: the id may be one of those dropped, so it has to be looked up. */
export type IdFound<Answer extends Answered = FirstAnswer> = { readonly known: Answer } | 'new' | 'unknown';

export const emptyIdWindow = <Answer extends Answered = FirstAnswer>(size = idWindowSize): IdWindow<Answer> => ({
  size,
  arrivals: 0,
  idTimeMax: 0,
  droppedTimeMax: -1,
  settled: new Map(),
  fresh: [],
});

export const findId = <Answer extends Answered>(window: IdWindow<Answer>, id: CommandId): IdFound<Answer> => {
  const time = timeOfUuid(id);
  if (time > window.idTimeMax) return 'new';
  const known = window.settled.get(id) ?? window.fresh.find((answer) => answer.id === id);
  if (known !== undefined) return { known };
  return time > window.droppedTimeMax ? 'new' : 'unknown';
};

export const lastArrived = (window: IdWindow): FirstAnswer | undefined => window.fresh.at(-1);

export const addId = <Answer extends Answered>(window: IdWindow<Answer>, answer: Answer): IdWindow<Answer> => {
  const { size, arrivals, idTimeMax, droppedTimeMax, settled, fresh } =
    window.fresh.length < window.size / 8 ? window : settle(window);
  return {
    size,
    arrivals: arrivals + 1,
    idTimeMax: Math.max(idTimeMax, timeOfUuid(answer.id)),
    droppedTimeMax,
    settled,
    fresh: [...fresh, answer],
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
  const answers = [...window.settled.values(), ...window.fresh];
  const surplus = answers.length - window.size;
  const leastOfGreatest = answers.map(({ id }) => id).sort()[Math.max(0, surplus)] ?? '';
  const settled = new Map<CommandId, Answer>();
  let droppedTimeMax = window.droppedTimeMax;
  for (const [arrival, answer] of answers.entries()) {
    if (arrival >= surplus || answer.id >= leastOfGreatest) settled.set(answer.id, answer);
    else droppedTimeMax = Math.max(droppedTimeMax, timeOfUuid(answer.id));
  }
  return { ...window, settled, fresh: [], droppedTimeMax };
};
