import type { ChangeAt, Changes } from './inbox.ts';

/** People looked at for one page, whether the user has to do with them or not. */
export const mostPeopleLookedAt = 500;

/** Changed profiles, and up to where people were looked through: Infinity when all were. */
export interface ChangedPeople {
  readonly changes: readonly ChangeAt[];
  readonly through: number;
}

export const nobody: ChangedPeople = { changes: [], through: Infinity };

/** What changed after a place, in its order; of other changes there are one more than `limit`, if there are so many. */
export const changesPage = (
  others: readonly ChangeAt[],
  people: ChangedPeople,
  place: number,
  limit: number,
): Changes => {
  const found = [...others, ...people.changes]
    .filter((change) => change.place <= people.through)
    .toSorted((one, other) => one.place - other.place);
  const changes = found.slice(0, limit);
  // What is later than the position of a store comes at it, and that may be the place asked from.
  const last = Math.max(changes.at(-1)?.place ?? place, place);
  if (found.length > limit) return { changes, through: last, isLast: false };
  return people.through === Infinity
    ? { changes, through: last, isLast: true }
    : { changes, through: people.through, isLast: false };
};
