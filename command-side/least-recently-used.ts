export interface LeastRecentlyUsed<Key, Value> {
  get(key: Key): Value | undefined;
  /** Answers with what had to be forgotten for it. */
  set(key: Key, value: Value): Value | undefined;
  /** Answers with what was there. */
  delete(key: Key): Value | undefined;
}

/** A map of at most `most` entries that forgets the one not used for longest. */
export const leastRecentlyUsed = <Key, Value>(most: number): LeastRecentlyUsed<Key, Value> => {
  // Iteration follows insertion, so the first key is the one not used for longest.
  const entries = new Map<Key, Value>();
  const remove = (key: Key): Value | undefined => {
    const value = entries.get(key);
    entries.delete(key);
    return value;
  };
  return {
    get(key) {
      const value = entries.get(key);
      if (value !== undefined) {
        entries.delete(key);
        entries.set(key, value);
      }
      return value;
    },
    set(key, value) {
      entries.delete(key);
      entries.set(key, value);
      if (entries.size <= most) return undefined;
      const [oldest] = entries.keys();
      return oldest === undefined ? undefined : remove(oldest);
    },
    delete: remove,
  };
};
