/** How many of `count` things a second `work` did. */
export const perSecond = async (count: number, work: () => Promise<void>): Promise<number> => {
  const from = performance.now();
  await work();
  return Math.round((count * 1_000) / (performance.now() - from));
};
