/** Calls once a second until the function it returns is called. Tests count the seconds themselves. */
export type EverySecond = (work: () => void) => () => void;

export const everySecond: EverySecond = (work) => {
  const timer = setInterval(work, 1_000);
  return () => clearInterval(timer);
};
