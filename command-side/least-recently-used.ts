export interface LeastRecentlyUsed<Key, Value> {
  get(key: Key): Value | undefined;
  /** Answers with what had to be forgotten for it. */
  set(key: Key, value: Value): Value | undefined;
  /** Answers with what was there. */
  delete(key: Key): Value | undefined;
}

interface Entry<Value> {
  readonly value: Value;
  /** The count of moves when this one was put behind all others. */
  readonly movedAt: number;
}

/**
 * A map of at most `most` entries that forgets the one not used for longest, give or take an eighth: moving an entry costs
 * more than finding it, so one that is far from being forgotten stays where it is.
 */
export const leastRecentlyUsed = <Key, Value>(most: number): LeastRecentlyUsed<Key, Value> => {
  // Iteration follows insertion, so the first key is the next to be forgotten.
  const entries = new Map<Key, Entry<Value>>();
  let moves = 0;
  const remove = (key: Key): Value | undefined => {
    const entry = entries.get(key);
    entries.delete(key);
    return entry?.value;
  };
  const moveBehind = (key: Key, value: Value): void => {
    entries.delete(key);
    entries.set(key, { value, movedAt: ++moves });
  };
  return {
    get(key) {
      const entry = entries.get(key);
      if (entry !== undefined && moves - entry.movedAt > most / 8) moveBehind(key, entry.value);
      return entry?.value;
    },
    set(key, value) {
      moveBehind(key, value);
      if (entries.size <= most) return undefined;
      const [oldest] = entries.keys();
      return oldest === undefined ? undefined : remove(oldest);
    },
    delete: remove,
  };
};
